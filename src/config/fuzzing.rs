//! For fuzzers: any text as `otpgate.toml`.

use super::{Config, Environment, Flags};
use std::path::Path;

/// Reads a text as the configuration file, and what it sets as a human is shown it.
///
/// # Panics
///
/// If it is refused without a reason.
pub fn config(text: &str) {
    let file = Some((Path::new("otpgate.toml"), text));
    match Config::from_sources(&Flags::default(), &Environment::default(), file) {
        Ok(loaded) => {
            let _ = loaded.config.check().map_err(|error| error.to_string());
            loaded.rows().for_each(|row| assert!(!row.0.is_empty(), "a setting without a name"));
        }
        Err(error) => assert!(!error.0.is_empty(), "refused without a reason"),
    }
}
