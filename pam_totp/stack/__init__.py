"""The stacks of this machine: read, composed, turned on and off.

`pamfile` reads one PAM file, `tree` follows its includes to the stack that a service really
has, and the rest of the package writes.
"""

from pam_totp.stack.pamfile import Line, StackError
from pam_totp.stack.tree import MODULE, Rule, Tree, services_that_collect, services_using_module

__all__ = [
    "MODULE",
    "Line",
    "Rule",
    "StackError",
    "Tree",
    "services_that_collect",
    "services_using_module",
]
