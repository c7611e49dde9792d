//! A network that was chosen by hand, by whoever had the modem before, and that does not take it (row L7).

use super::*;

impl Session {
    /// Has the modem choose its network by itself, once, when it has found none for longer than the ladder waits before it
    /// switches the radio off and on. True if that is said now.
    pub(super) fn select_network(&mut self, now: Mono) -> bool {
        if self.known.registration().is_some() {
            (self.unregistered, self.selected) = (None, false);
            return false;
        }
        let since = *self.unregistered.get_or_insert(now);
        let due = now >= since + BY_HAND && self.known.is_selected_by_hand && !self.known.may_not_roam();
        if !due || self.selected {
            return false;
        }
        self.selected = true;
        self.emit(Event::Notice(
            "The network that was chosen by hand has not taken the modem for a quarter of an hour; it chooses by itself now (AT+COPS=0)",
        ));
        self.ask(now, Command::automatic_selection(), Asked::Selection);
        true
    }
}

/// The ladder has switched the radio off and on after ten minutes.
const BY_HAND: Duration = Duration::from_secs(900);
