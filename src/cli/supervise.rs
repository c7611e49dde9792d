//! `serve --supervise`: this program starts itself as a child and starts it again when it ends by a fault.
//!
//! The child has a process group of its own, so that a Ctrl-C at the terminal reaches it once, through here, and its
//! "second signal ends at once" means a second Ctrl-C. If the supervisor is killed, the kernel asks the child to stop.

use super::Stop;
use super::serve::Signals;
use rustix::process::{Pid, Signal, getppid, kill_process, set_parent_process_death_signal};
use std::ffi::OsString;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::time::Duration;
use tokio::process::{Child, Command};
use tokio::time::Instant;

/// Runs the same command without `--supervise` until it ends well, can't start at all, or a signal asks to stop.
pub(super) fn run() -> Result<(), Stop> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Stop::Failed(format!("can't start: {error}")))?;
    let program = std::env::current_exe().map_err(|error| Stop::Failed(format!("can't find myself: {error}")))?;
    let mut arguments: Vec<OsString> = std::env::args_os().skip(1).filter(|it| it != "--supervise").collect();
    arguments.extend(["--supervised-by".into(), std::process::id().to_string().into()]);
    runtime.block_on(supervise(|| {
        let mut command = Command::new(&program);
        command.args(&arguments).process_group(0).spawn()
    }))
}

/// In the child: asks the kernel for SIGTERM when the supervisor goes, unless it has gone already.
pub(super) fn die_with(supervisor: i32) -> Result<(), Stop> {
    let asked = set_parent_process_death_signal(Some(Signal::TERM));
    match (asked, getppid().map(Pid::as_raw_pid)) {
        (Ok(()), Some(parent)) if parent == supervisor => Ok(()),
        (Ok(()), _) => Err(Stop::Failed("the supervisor has gone; not starting without it".to_owned())),
        (Err(error), _) => Err(Stop::Failed(format!("can't tie myself to the supervisor: {error}"))),
    }
}

async fn supervise(mut start: impl FnMut() -> std::io::Result<Child>) -> Result<(), Stop> {
    let mut signals = Signals::listen()?;
    let mut pause = SHORTEST_PAUSE;
    loop {
        let started = now();
        let mut child = start().map_err(|error| Stop::Failed(format!("can't start the gateway: {error}")))?;
        let status = tokio::select! {
            status = child.wait() => status,
            () = signals.next() => return verdict(stop(child, &mut signals).await?),
        };
        let status = status.map_err(|error| Stop::Failed(format!("can't wait for the gateway: {error}")))?;
        if status.success() || status.code() == Some(i32::from(super::USAGE)) {
            return verdict(status);
        }
        if started.elapsed() >= HEALTHY {
            pause = SHORTEST_PAUSE;
        }
        tracing::error!(%status, pause_s = pause.as_secs(), "the gateway ended by a fault; starting it again");
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = signals.next() => return verdict(status),
        }
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

/// Hands on each signal until the child has ended.
async fn stop(mut child: Child, signals: &mut Signals) -> Result<ExitStatus, Stop> {
    loop {
        // It has no id any more once it was waited for, and its id can't be anybody else's before that.
        if let Some(pid) = child.id().and_then(|id| Pid::from_raw(id as i32)) {
            let _ = kill_process(pid, Signal::TERM);
        }
        tokio::select! {
            status = child.wait() => {
                return status.map_err(|error| Stop::Failed(format!("can't wait for the gateway: {error}")));
            }
            () = signals.next() => {}
        }
    }
}

/// How the supervisor ends when the child ended like this: as the child did.
fn verdict(status: ExitStatus) -> Result<(), Stop> {
    match (status.code(), status.signal()) {
        (Some(0), _) => Ok(()),
        (Some(code), _) if code == i32::from(super::USAGE) => {
            Err(Stop::Usage("the gateway could not start as it was called".to_owned()))
        }
        (_, Some(signal)) => Err(Stop::Failed(format!("the gateway was ended by signal {signal}"))),
        (code, None) => Err(Stop::Failed(format!("the gateway ended with {}", code.unwrap_or(1)))),
    }
}

#[allow(clippy::disallowed_methods, reason = "a supervisor has no virtual time: it waits for a real process")]
fn now() -> Instant {
    Instant::now()
}

const SHORTEST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// Who ran so long has earned the shortest pause again.
const HEALTHY: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> std::io::Result<Child> {
        Command::new("sh").args(["-c", script]).spawn()
    }

    #[tokio::test(start_paused = true)]
    async fn starts_again_after_a_fault_and_ends_with_a_good_end() {
        let mut starts = 0;
        let ended = supervise(|| {
            starts += 1;
            shell(if starts < 2 { "kill -9 $$" } else { "exit 0" })
        })
        .await;
        assert!(ended.is_ok(), "{ended:?}");
        assert_eq!(starts, 2);
    }

    #[tokio::test(start_paused = true)]
    async fn does_not_start_again_what_was_called_wrongly() {
        let mut starts = 0;
        let ended = supervise(|| {
            starts += 1;
            shell("exit 2")
        })
        .await;
        assert!(matches!(ended, Err(Stop::Usage(_))), "{ended:?}");
        assert_eq!(starts, 1);
    }
}
