"""The one error of this package: a document that does not follow the contract.

ContractError
"""


class ContractError(ValueError):
    """A RunSpec or RunSummary that cannot be read; the message names the field and what is allowed there."""
