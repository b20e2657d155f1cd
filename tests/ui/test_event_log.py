"""What the log of a run's newest events promises: everything after a number, or None."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gan_core.ui import event_log
from gan_core.ui.event_log import EventLog, Sent


@given(st.lists(st.tuples(st.integers(1, 3), st.integers(0, 40), st.booleans()), max_size=60), st.integers(0, 5))
def test_what_came_after_a_number_is_complete_or_refused(added, start):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(event_log, "MAX_EVENTS", 7)
        patch.setattr(event_log, "MAX_BYTES", 100)
        log, number, everything = EventLog(start), start, []
        for gap, size, whole in added:  # other runs take the numbers between
            number += gap
            event = Sent("snapshot" if whole else "metrics", "x" * size, str(number))
            log.add(number, event)
            everything.append((number, event))
        for asked in range(number + 2):
            found, later = log.after(asked), [event for known, event in everything if known > asked]
            if found is None:
                assert asked < log.complete_after
                continue
            wholes = [k for k, event in enumerate(later) if event.name == "snapshot"]
            # Nobody needs what came before a snapshot.
            assert found == later[wholes[-1]:] if wholes else found == later
        kept = log.after(log.complete_after)
        assert len(kept) <= 7 and sum(len(event.text) for event in kept) <= 100
