use super::{Stop, console};
use crate::otp::template;

/// Print every built-in text in every language, with its alphabet and length, as a page in Markdown
#[derive(Debug, clap::Args)]
#[command(after_long_help = EXAMPLES)]
pub(super) struct Args {}

pub(super) fn run(_args: &Args) -> Result<(), Stop> {
    console::print(&template::page())
}

const EXAMPLES: &str = "\
Examples:
  otpgate texts | less
  otpgate texts > texts.md";
