//! How often a delivery is tried, and with what pauses.

use crate::domain::webhook::Form;
use std::time::Duration;

/// The pause after so many failed attempts, if there is to be another. `jitter` spreads those that failed together: any
/// byte. A receiver that says when to come back is taken at its word, within an hour.
pub fn pause(form: Form, failed: u32, retry_after: Option<Duration>, jitter: u8) -> Option<Duration> {
    let pauses = match form {
        Form::Native => NATIVE,
        Form::MyOtp => MYOTP,
    };
    let pause = Duration::from_secs(*pauses.get(usize::try_from(failed).ok()?.checked_sub(1)?)?);
    let pause = match form {
        // From nine to eleven tenths.
        Form::Native => pause * 9 / 10 + pause * u32::from(jitter) / (5 * 255),
        // Its receivers are told these very pauses.
        Form::MyOtp => pause,
    };
    Some(pause.max(retry_after.unwrap_or_default().min(LONGEST_WISH)))
}

/// Seconds; a day in all, the longest pauses for those who need a night to notice.
const NATIVE: &[u64] = &[5, 30, 120, 600, 1800, 3600, 7200, 14_400, 28_800, 28_800];
/// As MyOTP.App has it.
const MYOTP: &[u64] = &[5, 10, 20, 40, 60];
const LONGEST_WISH: Duration = Duration::from_secs(3600);

#[cfg(test)]
mod tests {
    use super::*;

    fn pauses(form: Form, jitter: u8) -> Vec<f32> {
        (1..).map_while(|failed| pause(form, failed, None, jitter)).map(|pause| pause.as_secs_f32()).collect()
    }

    #[test]
    fn pauses_grow_over_hours_and_end_after_a_day() {
        let all = pauses(Form::Native, 128);
        assert_eq!(all.len(), 10);
        assert!(all.is_sorted() && (4.5..5.6).contains(&all[0]), "{all:?}");
        let (day, sum): (f32, f32) = (24.0 * 3600.0, all.iter().sum());
        assert!((day * 0.9..day * 1.1).contains(&sum), "{all:?}");
    }

    #[test]
    fn jitter_moves_them_by_a_tenth() {
        for (least, most) in pauses(Form::Native, 0).iter().zip(pauses(Form::Native, 255)) {
            assert!((most / least - 11.0 / 9.0).abs() < 0.001, "{least} {most}");
        }
        assert_eq!(pauses(Form::MyOtp, 0), [5.0, 10.0, 20.0, 40.0, 60.0]);
        assert_eq!(pauses(Form::MyOtp, 255), [5.0, 10.0, 20.0, 40.0, 60.0]);
    }

    #[test]
    fn a_receiver_that_says_when_is_taken_at_its_word_within_an_hour() {
        let wish = |secs| pause(Form::Native, 1, Some(Duration::from_secs(secs)), 0).map(|pause| pause.as_secs());
        assert_eq!(wish(90), Some(90));
        assert_eq!(wish(1), Some(4), "but not earlier than it would be tried anyway");
        assert_eq!(wish(1_000_000), Some(3600));
        assert_eq!(pause(Form::Native, 11, Some(Duration::from_secs(90)), 0), None, "nor more often");
    }
}
