//! The `otpgate` binary: parse arguments, match the subcommand.

fn main() -> std::process::ExitCode {
    otpgate::cli::run()
}
