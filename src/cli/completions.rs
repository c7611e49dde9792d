use super::{Cli, Stop, console};
use clap::CommandFactory;

/// Print a script that completes commands and flags in your shell
#[derive(Debug, clap::Args)]
#[command(after_long_help = EXAMPLES)]
pub(super) struct Args {
    /// Which shell
    shell: clap_complete::Shell,
}

pub(super) fn run(args: &Args) -> Result<(), Stop> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "otpgate", &mut script);
    console::write_out(&script)
}

const EXAMPLES: &str = "\
Examples:
  otpgate completions bash > ~/.local/share/bash-completion/completions/otpgate
  otpgate completions zsh > \"${fpath[1]}/_otpgate\"
  otpgate completions fish > ~/.config/fish/completions/otpgate.fish";
