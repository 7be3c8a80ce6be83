from hypothesis import given
from hypothesis import strategies as st

from gossip_kubectl.log_lines import Position, split_stamp


def test_a_line_is_parted_into_its_time_and_what_was_said():
    stamp, text = split_stamp('2026-01-02T03:04:05.12Z {"event": "began"}')
    assert stamp == "2026-01-02T03:04:05.120000000"
    assert text == '{"event": "began"}'


def test_times_compare_as_text():
    stamps = ["05Z", "05.000000001Z", "05.1Z", "05.12Z", "06Z"]
    read = [split_stamp(f"2026-01-02T03:04:{stamp} x")[0] for stamp in stamps]
    assert read == sorted(set(read))


def test_an_empty_line_is_a_line():
    assert split_stamp("2026-01-02T03:04:05.5Z ") == ("2026-01-02T03:04:05.500000000", "")


@given(
    # Tenths of seconds, so that many lines share one.
    st.lists(st.integers(0, 40), max_size=30).map(sorted),
    st.lists(st.integers(0, 30), max_size=5),
)
def test_a_log_read_in_pieces_is_whole_and_has_no_line_twice(tenths, cuts):
    log = [f"2026-01-02T03:04:{t // 10:02}.{t % 10}Z line {i}" for i, t in enumerate(tenths)]
    position, said = Position(), []
    for end in [*sorted(cuts), len(log)]:
        since = position.query().get("sinceTime", "")
        asked = [line for line in log[:end] if line[:19] >= since[:19]]
        for line in asked:
            stamp, text = split_stamp(line)
            if position.passes(stamp):
                said.append(text)
    assert said == [f"line {i}" for i in range(len(log))]
