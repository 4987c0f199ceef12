"""The decorators that declare feature views: a class body becomes a ``FeatureView``."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Unpack, cast

from feature_store.checks.calls import declares
from feature_store.declare.compile_view import compile_view
from feature_store.declare.view_options import FeatureViewOptions, StreamViewOptions
from feature_store.model.views import FeatureRef, FeatureView

if TYPE_CHECKING:

    class DeclaredView(FeatureView):
        """A view as type checkers see it where it is declared: its features are attributes, read in services."""

        def __getattr__(self, name: str) -> FeatureRef: ...

else:
    DeclaredView = FeatureView


@declares
def feature_view(**options: Unpack[FeatureViewOptions]) -> Callable[[type], DeclaredView]:
    """Declare a feature view; decorates a class whose attributes are its features and whose docstring describes it.

    Args:
        options: see ``FeatureViewOptions``.

    Raises:
        DefinitionError: anything is wrong with the declaration; names the view, the feature and what to write instead.
    """
    return lambda body: cast("DeclaredView", compile_view(body, "feature_view", options, FeatureViewOptions))


@declares
def stream_view(**options: Unpack[StreamViewOptions]) -> Callable[[type], DeclaredView]:
    """Declare a stream view: a value at every T, merged from tiles when it is read.

    At T its as-of is A = T floored to a whole second, less ``available_after``; a window counts what happened before A.
    Events before the end of the newest available partition come from batch tiles, later ones from the stream.

    Args:
        options: see ``StreamViewOptions``.

    Raises:
        DefinitionError: anything is wrong with the declaration; names the view, the feature and what to write instead.
    """
    return lambda body: cast("DeclaredView", compile_view(body, "stream_view", options, StreamViewOptions))
