"""Which events a window counts, and the span of the tiles it is merged from."""

from datetime import UTC, datetime
from math import gcd

from hypothesis import assume, given
from hypothesis import strategies as st

from feature_store import count
from feature_store.temporal.durations import DAY, HOUR, MINUTE, WEEK, format_duration, parse_duration
from feature_store.temporal.tile_span import tile_span
from feature_store.temporal.windows import Window, default_hop
from tests.model.declare import view_of


@st.composite
def windows(draw: st.DrawFn, cadence: int) -> Window:
    """A valid window: its hop divides the cadence or the other way round, and divides its length."""
    divisors = [step for step in range(1, cadence + 1) if cadence % step == 0]
    hop = draw(st.one_of(st.sampled_from(divisors), st.integers(1, 6).map(lambda times: times * cadence)))
    return Window(over=hop * draw(st.integers(1, 12)), hop=hop)


@given(st.integers(1, 50), st.integers(1, 50), st.integers(-300, 300))
def test_the_tail_is_the_last_hop_that_leaves_the_whole_window_in(hop: int, hops: int, as_of: int) -> None:
    window = Window(over=hop * hops, hop=hop)
    naive = max(instant for instant in range(-4000, 301) if instant % hop == 0 and instant <= as_of - window.over)
    assert window.tail(as_of) == naive
    assert window.over <= as_of - window.tail(as_of) < window.over + hop


@given(st.data(), st.integers(1, 24))
def test_every_as_of_and_tail_is_on_a_tile_and_no_larger_tile_would_do(data: st.DataObject, cadence: int) -> None:
    chosen = data.draw(st.lists(windows(cadence), max_size=4))
    span = tile_span(cadence, chosen)
    reach = 3 * max([cadence, *(window.hop for window in chosen)])
    instants = [as_of for start in range(0, reach + 1, cadence) for as_of in (start, *(w.tail(start) for w in chosen))]
    assert all(instant % span == 0 for instant in instants)
    assert gcd(*instants) == span


@given(
    st.sampled_from([HOUR, DAY, WEEK]), st.lists(st.integers(1, 400), min_size=1, max_size=4), st.sampled_from("mhd")
)
def test_a_declared_view_has_windows_and_tiles_that_fit(cadence: int, lengths: list[int], unit: str) -> None:
    overs = [f"{length}{unit}" for length in lengths]
    spans = [parse_duration(over) for over in overs]
    hops = [default_hop(span) for span in spans]
    assume(all(span % hop == 0 for span, hop in zip(spans, hops, strict=True)))
    drafts = {f"x{number}": count(over=over, description="X") for number, over in enumerate(overs)}
    thursday = datetime(2017, 1, 5, tzinfo=UTC)
    view = view_of(drafts, cadence=format_duration(cadence), freshness="30d", start=thursday)
    assert set(view.windows) == {Window(span, hop) for span, hop in zip(spans, hops, strict=True)}
    as_ofs = range(0, 5 * WEEK, cadence)
    assert view.cadence % view.tile == 0
    assert all(window.tail(as_of) % view.tile == 0 for window in view.windows for as_of in as_ofs)


def test_default_hops_change_where_the_design_says() -> None:
    lengths = [12 * DAY, 12 * DAY - HOUR, 12 * HOUR, 12 * HOUR - 5 * MINUTE, HOUR, 59 * MINUTE]
    assert [format_duration(default_hop(over)) for over in lengths] == ["1d", "1h", "1h", "5m", "5m", "1m"]


@given(st.integers(1, 10_000), st.sampled_from("smhd"))
def test_durations_are_read_back_as_spelled(number: int, unit: str) -> None:
    span = parse_duration(f"{number}{unit}")
    assert parse_duration(format_duration(span)) == span
