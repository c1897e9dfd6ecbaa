"""The claims that the checker knows: what each says, what it assumes, and how a case is derived."""

from verification.certificate.check.formula import Formula
from verification.certificate.check.statements.chain import CHAIN
from verification.certificate.check.statements.limit import LIMIT
from verification.certificate.check.statements.linear import LINEAR
from verification.certificate.check.statements.memory import MEMORY
from verification.certificate.check.statements.networks import NETWORKS
from verification.certificate.check.statements.training import TRAINING

FORMULAS: dict[str, Formula] = MEMORY | CHAIN | LIMIT | NETWORKS | LINEAR | TRAINING
