"""What the controller and the sync agree on, and nothing else.

The controller writes a RunSpec into the pod's environment; the sync answers with an exit code and a RunSummary in the
termination message. Neither program imports the other: everything both must know stands here, versioned.
"""

from contract.errors import ContractError
from contract.exit_codes import ExitCode
from contract.merge import merge
from contract.run_spec import (
    Destination,
    Limits,
    PropertyFilter,
    RunSpec,
    Trigger,
    Window,
    Workspace,
)
from contract.run_summary import (
    Dependency,
    FailureClass,
    RunSummary,
    State,
    WorkspaceFailure,
    WorkspaceSuccess,
)

__all__ = [
    "ContractError",
    "Dependency",
    "Destination",
    "ExitCode",
    "FailureClass",
    "Limits",
    "PropertyFilter",
    "RunSpec",
    "RunSummary",
    "State",
    "Trigger",
    "Window",
    "Workspace",
    "WorkspaceFailure",
    "WorkspaceSuccess",
    "merge",
]
