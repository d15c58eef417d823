"""The base classes of instrumentors and distros, with types: those of the package have none."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint
    from typing import Any

    class BaseInstrumentor:
        """One for each class: it patches a library, and undoes that."""

        @property
        def is_instrumented_by_opentelemetry(self) -> bool: ...
        def instrument(self, **kwargs: Any) -> Any: ...
        def uninstrument(self, **kwargs: Any) -> Any: ...

    class BaseDistro:
        """What `opentelemetry-instrument` asks to load the instrumentors."""

        def configure(self, **kwargs: Any) -> None: ...
        def load_instrumentor(self, entry_point: EntryPoint, **kwargs: Any) -> None: ...

else:
    from opentelemetry.instrumentation.distro import BaseDistro
    from opentelemetry.instrumentation.instrumentor import BaseInstrumentor

__all__ = ["BaseDistro", "BaseInstrumentor"]
