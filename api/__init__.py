"""Networks from Python: load, transform, evaluate, look at, build and prove them.

`kan_dialect` offers the names of `__all__` itself: `import kan_dialect as kan; kan.load(...)`.
"""

from kan_dialect.api.build import Build
from kan_dialect.api.layer import Edge, Layer
from kan_dialect.api.loading import from_ir, load
from kan_dialect.api.network import Network
from kan_dialect.api.tuning import Tuned
from kan_dialect.errors import KanError

__all__ = ["Build", "Edge", "KanError", "Layer", "Network", "Tuned", "from_ir", "load"]
