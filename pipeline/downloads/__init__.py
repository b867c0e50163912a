"""Pictures from the web: politely, and without letting anybody in.

    URL ──canonical──> host's turn ──robots──> resolve, check, pin ──> stream with limits ──> bytes, or a reason
          (canonical)  (limiter)    (robots)   (resolver, addresses)   (body, sniff)          (reasons)

``fetch.py`` joins the parts. All of it runs in one process of a run, so that a host's limits hold over the whole run.
"""
