"""The YAML configs of every package, and the one way to read them.

``configs/{pipeline,synth,model,train}/*.yaml`` are the files; ``load`` decodes one into the
dataclass that the package owning it defines. Beside it lies what every package needs: ``errors``,
``files`` (whole or absent, packages) and ``pictures`` (the one decoder). This package imports none
of the others, so all of them may use it.
"""

from configs.errors import RunFailed, UserError, command
from configs.load import decode, digest, load, load_tree, parse_value, parse_yaml, to_plain

__all__ = [
    "RunFailed",
    "UserError",
    "command",
    "decode",
    "digest",
    "load",
    "load_tree",
    "parse_value",
    "parse_yaml",
    "to_plain",
]
