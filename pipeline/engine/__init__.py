"""The engine: from listed inputs to committed fragments, whatever happens in between.

    sources ─list─> ledger ─slice─> fragments ─collect─> samples/F ─annotate─> scores/<annotator>/F
                                                  └──────── failures/F ────────┘

``run.py`` holds the main loop. ``commit`` makes files appear whole or not at all, ``guard`` keeps
hostile pictures in a child process, ``lock`` lets one process hold a run.
"""
