//! Joins a [`Simulator`] to ports: in-process streams for `serve --simulate`, pseudo-terminals for `simulate`.
//!
//! Nothing is decided here. One task per modem moves bytes, one keeps the time; tokio's clock is the only one, so that
//! all of it runs on paused time as well.

use super::faults::Faults;
use super::inbox::InboxMessage;
use super::modem::{Counts, Identity, Turns};
use super::network::{Copy, NetworkCounts};
use super::pty::{LinkLock, Pty};
use super::{ModemInput, Output, Simulator};
use crate::domain::time::Mono;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream};
use tokio::sync::{Notify, watch};
use tokio::time::Instant;

/// Starts the simulator with ports that [`SimulatorHandle::open`] opens. Needs a tokio runtime.
pub fn spawn(simulator: Simulator) -> SimulatorHandle {
    let lines = simulator.modems().iter().map(|_| Line::default()).collect();
    let locks = simulator.modems().iter().map(|_| None).collect();
    start(simulator, lines, locks)
}

/// Starts the simulator on pseudo-terminals, each with a link `PREFIX0`, `PREFIX1` … to it. Needs a tokio runtime.
pub fn spawn_on_ptys(simulator: Simulator, prefix: &Path) -> io::Result<SimulatorHandle> {
    let link = |i: usize| PathBuf::from(format!("{}{i}", prefix.display()));
    // Opened here, so that what is wrong with the links is said at the start.
    let lock = |i| LinkLock::take(&link(i)).map(Some);
    let locks = (0..simulator.modems().len()).map(lock).collect::<io::Result<_>>()?;
    let line =
        |i| Ok(Line { next_port: Some(Port::Pty(Pty::open(&link(i))?)), link: Some(link(i)), ..Line::default() });
    let lines = (0..simulator.modems().len()).map(line).collect::<io::Result<_>>()?;
    Ok(start(simulator, lines, locks))
}

/// The running simulator, for whoever opens its ports, reads its inbox or breaks it. Clones are the same simulator.
#[derive(Clone)]
pub struct SimulatorHandle {
    shared: Arc<Shared>,
}

/// What was counted, and of whom.
#[derive(Clone, Debug)]
pub struct SimulatorCounts {
    /// At the network.
    pub network: NetworkCounts,
    /// At each modem.
    pub modems: Vec<ModemCounts>,
}

/// What was counted at one modem.
#[derive(Clone, Debug)]
pub struct ModemCounts {
    /// Who it is.
    pub identity: Identity,
    /// Command lines, prompts …
    pub counts: Counts,
    /// How quickly the host went on.
    pub turns: Turns,
    /// Whether its port is there.
    pub plugged: bool,
}

impl SimulatorHandle {
    /// Opens the port of a modem. Who had it open before sees end of file. An error if there is no such modem, if it is
    /// unplugged, or if it is on a pseudo-terminal.
    pub fn open(&self, index: usize) -> io::Result<DuplexStream> {
        let not_found = |why: &str| io::Error::new(io::ErrorKind::NotFound, format!("virtual modem {index} {why}"));
        let mut inner = self.shared.lock();
        let line = inner.lines.get_mut(index).ok_or_else(|| not_found("does not exist"))?;
        if line.link.is_some() {
            return Err(not_found("is on a pseudo-terminal; open that"));
        }
        if line.gone() {
            return Err(not_found("is unplugged"));
        }
        let (host, modem) = tokio::io::duplex(PORT_BUFFER);
        line.next_port = Some(Port::Stream(modem));
        line.wake.notify_one();
        self.shared.input(&mut inner, index, ModemInput::Opened);
        Ok(host)
    }

    /// How many modems there are.
    pub fn modem_count(&self) -> usize {
        self.shared.lock().lines.len()
    }

    /// Who a modem is.
    pub fn identity(&self, index: usize) -> Option<Identity> {
        self.shared.lock().simulator.modems().get(index).map(|m| m.identity().clone())
    }

    /// The messages in the inbox, newest first, those to one number if `to` is given. If there is none yet, waits for
    /// one, at most for `wait`.
    #[allow(clippy::disallowed_methods, reason = "the virtual network has a clock of its own: the runtime's")]
    pub async fn inbox(&self, to: Option<&str>, wait: Duration) -> Vec<InboxMessage> {
        let deadline = Instant::now() + wait;
        let mut accepted = self.shared.accepted.subscribe();
        loop {
            accepted.mark_unchanged();
            let found: Vec<_> = self.shared.lock().simulator.network().inbox().messages(to).cloned().collect();
            if !found.is_empty() {
                return found;
            }
            match tokio::time::timeout_at(deadline, accepted.changed()).await {
                Ok(Ok(())) => {}
                _ => return found,
            }
        }
    }

    /// Empties the inbox.
    pub fn clear_inbox(&self) {
        self.shared.lock().simulator.clear_inbox();
    }

    /// Takes all faults away, sets all counts to nought, empties the inbox, plugs everything in again.
    pub fn reset(&self) {
        let now = self.shared.now();
        let mut inner = self.shared.lock();
        inner.simulator.reset(now);
        for index in 0..inner.lines.len() {
            inner.lines[index].unplugged = false;
            inner.lines[index].wake.notify_one();
        }
        self.shared.drain(&mut inner, None);
    }

    /// Sends a message to the modem whose card has the number `to`; if `to` is empty, to the first. Returns its index, if
    /// there is one.
    pub fn inbound(&self, from: &str, to: &str, text: &str) -> Option<usize> {
        let now = self.shared.now();
        let mut inner = self.shared.lock();
        let index = inner.simulator.inbound(now, from, to, text);
        self.shared.drain(&mut inner, None);
        index
    }

    /// What was counted so far.
    pub fn counts(&self) -> SimulatorCounts {
        let inner = self.shared.lock();
        let modems = inner.simulator.modems().iter().zip(&inner.lines).map(|(modem, line)| ModemCounts {
            identity: modem.identity().clone(),
            counts: modem.counts().clone(),
            turns: modem.turns().clone(),
            plugged: !line.gone(),
        });
        SimulatorCounts { network: inner.simulator.network().counts(), modems: modems.collect() }
    }

    /// Sets what goes wrong from now on: with one modem, or with all.
    pub fn set_faults(&self, index: Option<usize>, faults: &Faults) {
        let now = self.shared.now();
        let mut inner = self.shared.lock();
        inner.simulator.set_faults(now, index, faults);
        self.shared.drain(&mut inner, None);
    }

    /// Pulls a modem out: its port is gone until [`SimulatorHandle::replug`].
    pub fn unplug(&self, index: usize) {
        if let Some(line) = self.shared.lock().lines.get_mut(index) {
            line.unplugged = true;
            line.wake.notify_one();
        }
    }

    /// Puts a modem in again: it has lost its power meanwhile, so it boots.
    pub fn replug(&self, index: usize) {
        let mut inner = self.shared.lock();
        if let Some(line) = inner.lines.get_mut(index).filter(|line| line.unplugged) {
            line.unplugged = false;
            line.returned += 1;
            line.pending.clear();
            line.wake.notify_one();
            self.shared.input(&mut inner, index, ModemInput::PowerCycle);
        }
    }

    /// Switches a modem's power off and on, its port staying.
    pub fn power_cycle(&self, index: usize) {
        self.shared.input(&mut self.shared.lock(), index, ModemInput::PowerCycle);
    }

    /// Puts another SIM card into a modem, the one with this number, without a word from the modem.
    pub fn other_card(&self, index: usize, number: usize) {
        self.shared.input(&mut self.shared.lock(), index, ModemInput::OtherCard(number));
    }

    /// Whether a modem's port is there.
    pub fn is_there(&self, index: usize) -> bool {
        self.shared.lock().lines.get(index).is_some_and(|line| !line.gone())
    }

    /// How often a modem's port has come back.
    pub fn generation(&self, index: usize) -> u64 {
        self.shared.lock().lines.get(index).map_or(0, |line| line.returned)
    }

    /// Resets a modem's USB device, as far as it is there.
    pub fn usb_reset(&self, index: usize) -> io::Result<()> {
        let mut inner = self.shared.lock();
        if inner.lines.get(index).is_none_or(Line::gone) {
            return Err(io::Error::new(io::ErrorKind::NotFound, format!("virtual modem {index} is unplugged")));
        }
        self.shared.input(&mut inner, index, ModemInput::UsbReset);
        Ok(())
    }

    /// Calls a modem.
    pub fn ring(&self, index: usize) {
        self.shared.input(&mut self.shared.lock(), index, ModemInput::Ring);
    }

    /// Has `sink` called with every copy that the network accepts from now on. It must not block.
    pub fn on_accepted(&self, sink: impl FnMut(&Copy) + Send + 'static) {
        self.shared.lock().sink = Some(Box::new(sink));
    }

    /// Ends all tasks; ports see end of file, links go away. Waits for that.
    pub async fn stop(&self) {
        self.shared.stop.send_replace(true);
        // Every task holds a receiver.
        self.shared.stop.closed().await;
    }
}

struct Shared {
    inner: Mutex<Inner>,
    begin: Instant,
    /// The time to wake up at has become earlier.
    timer: Notify,
    accepted: watch::Sender<()>,
    stop: watch::Sender<bool>,
}

struct Inner {
    simulator: Simulator,
    lines: Vec<Line>,
    sink: Option<Sink>,
    /// What the timer task waits for.
    armed: Option<Mono>,
}

/// Who is told of accepted copies.
type Sink = Box<dyn FnMut(&Copy) + Send>;

/// What lies between a modem and its port.
#[derive(Default)]
struct Line {
    /// Said by the modem, not yet written.
    pending: Vec<u8>,
    next_port: Option<Port>,
    /// By hand.
    unplugged: bool,
    /// By a fault.
    lost: bool,
    returned: u64,
    link: Option<PathBuf>,
    wake: Arc<Notify>,
}

impl Line {
    fn gone(&self) -> bool {
        self.unplugged || self.lost
    }
}

enum Port {
    Stream(DuplexStream),
    Pty(Pty),
}

#[allow(clippy::disallowed_methods, reason = "the virtual network has a clock of its own: the runtime's")]
fn start(simulator: Simulator, lines: Vec<Line>, locks: Vec<Option<LinkLock>>) -> SimulatorHandle {
    let shared = Arc::new(Shared {
        inner: Mutex::new(Inner { simulator, lines, sink: None, armed: None }),
        begin: Instant::now(),
        timer: Notify::new(),
        accepted: watch::Sender::new(()),
        stop: watch::Sender::new(false),
    });
    for (index, lock) in locks.into_iter().enumerate() {
        tokio::spawn(until_stopped(shared.stop.subscribe(), shared.clone().run_line(index, lock)));
    }
    tokio::spawn(until_stopped(shared.stop.subscribe(), shared.clone().run_timer()));
    SimulatorHandle { shared }
}

async fn until_stopped(mut stop: watch::Receiver<bool>, task: impl Future<Output = ()>) {
    tokio::select! {
        biased;
        _ = stop.wait_for(|stopped| *stopped) => {}
        () = task => {}
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        // A panic elsewhere leaves a simulator that is still worth asking.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> Mono {
        Mono(self.begin.elapsed())
    }

    fn input(&self, inner: &mut Inner, index: usize, input: ModemInput<'_>) {
        inner.simulator.handle_input(self.now(), index, input);
        self.drain(inner, None);
    }

    /// Hands out what the simulator says. The task of the modem `current` looks by itself.
    fn drain(&self, inner: &mut Inner, current: Option<usize>) {
        while let Some((index, output)) = inner.simulator.poll_output() {
            let line = &mut inner.lines[index];
            match output {
                Output::Bytes(bytes) => {
                    // As with a real port that nobody reads: what does not fit is lost.
                    let room = PORT_BUFFER.saturating_sub(line.pending.len());
                    line.pending.extend(&bytes[..bytes.len().min(room)]);
                }
                Output::PortLost => line.lost = true,
                Output::PortBack => {
                    line.lost = false;
                    line.returned += 1;
                }
                Output::Accepted(copy) => {
                    if let Some(sink) = &mut inner.sink {
                        sink(&copy);
                    }
                    self.accepted.send_replace(());
                    continue;
                }
            }
            if current != Some(index) {
                line.wake.notify_one();
            }
        }
        let next = inner.simulator.next_timeout();
        if next.is_some() && inner.armed.is_none_or(|armed| next < Some(armed)) {
            inner.armed = next;
            self.timer.notify_one();
        }
    }

    async fn run_timer(self: Arc<Self>) {
        loop {
            let next = {
                let mut inner = self.lock();
                inner.simulator.handle_timeout(self.now());
                inner.armed = inner.simulator.next_timeout();
                self.drain(&mut inner, None);
                inner.armed
            };
            let due = async {
                match next {
                    Some(at) => tokio::time::sleep_until(self.begin + at.0).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                () = due => {}
                () = self.timer.notified() => {}
            }
        }
    }

    /// Holds the lock of its link until it ends, also while the modem is unplugged and there is no link.
    async fn run_line(self: Arc<Self>, index: usize, _lock: Option<LinkLock>) {
        let wake = self.lock().lines[index].wake.clone();
        loop {
            let (port, link) = {
                let line = &mut self.lock().lines[index];
                let link = line.link.clone().filter(|_| !line.gone());
                (line.next_port.take().filter(|_| !line.gone()), link)
            };
            match (port, link) {
                (Some(Port::Stream(stream)), _) => {
                    let (reader, writer) = tokio::io::split(stream);
                    self.serve(index, &wake, reader, writer).await;
                }
                (Some(Port::Pty(mut pty)), _) => self.serve(index, &wake, &mut pty.reader, &mut pty.writer).await,
                (None, Some(link)) => match Pty::open(&link) {
                    Ok(mut pty) => {
                        self.input(&mut self.lock(), index, ModemInput::Opened);
                        self.serve(index, &wake, &mut pty.reader, &mut pty.writer).await;
                    }
                    Err(error) => {
                        tracing::error!(%error, "Can't put virtual modem {index} back on its pseudo-terminal");
                        tokio::time::sleep(RETRY).await;
                    }
                },
                (None, None) => wake.notified().await,
            }
        }
    }

    /// Moves bytes until the port is closed, unplugged or replaced.
    async fn serve(
        &self,
        index: usize,
        wake: &Notify,
        mut reader: impl AsyncRead + Unpin,
        mut writer: impl AsyncWrite + Unpin,
    ) {
        let mut heard = [0; 4096];
        let mut said: Vec<u8> = Vec::new();
        loop {
            {
                let line = &mut self.lock().lines[index];
                if line.gone() || line.next_port.is_some() {
                    return;
                }
                if said.is_empty() {
                    std::mem::swap(&mut said, &mut line.pending);
                }
            }
            tokio::select! {
                biased;
                written = writer.write(&said), if !said.is_empty() => match written {
                    Ok(count) if count > 0 => {
                        said.drain(..count);
                    }
                    _ => return,
                },
                read = reader.read(&mut heard) => match read {
                    Ok(count) if count > 0 => {
                        let mut inner = self.lock();
                        inner.simulator.handle_input(self.now(), index, ModemInput::Bytes(&heard[..count]));
                        self.drain(&mut inner, Some(index));
                    }
                    _ => return,
                },
                () = wake.notified() => {}
            }
        }
    }
}

/// Bytes between a modem and a host that does not read.
const PORT_BUFFER: usize = 16 * 1024;
const RETRY: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulator::modem::ModemOptions;
    use crate::simulator::network::NetworkOptions;

    fn simulator(modems: usize) -> SimulatorHandle {
        let network = NetworkOptions { air_time: Duration::from_secs(5), ..NetworkOptions::default() };
        spawn(Simulator::new(modems, &ModemOptions::default(), network, 7))
    }

    /// Writes, then reads until `end` has come.
    async fn ask(port: &mut DuplexStream, text: &str, end: &str) -> String {
        port.write_all(text.as_bytes()).await.unwrap();
        let mut said = Vec::new();
        while !said.ends_with(end.as_bytes()) {
            said.push(port.read_u8().await.unwrap());
        }
        String::from_utf8(said).unwrap()
    }

    /// "hellohello" to +14155550100.
    const SUBMIT: &str = "0001000B914151550501F000000AE8329BFD4697D9EC37\x1A";

    #[tokio::test(start_paused = true)]
    #[allow(clippy::disallowed_methods, reason = "it measures the runtime's own time")]
    async fn a_send_takes_its_air_time_of_paused_time() {
        let handle = simulator(2);
        let mut port = handle.open(1).unwrap();
        ask(&mut port, "ATE0\r", "OK\r\n").await;
        ask(&mut port, "AT+CMGS=22\r", "> ").await;
        let before = Instant::now();
        assert_eq!(ask(&mut port, SUBMIT, "OK\r\n").await, "\r\n+CMGS: 0\r\n\r\nOK\r\n");
        assert!((5000..5010).contains(&before.elapsed().as_millis()), "{:?}", before.elapsed());
        let counts = handle.counts();
        assert_eq!((counts.network.accepted, counts.modems[1].counts.submitted), (1, 1));
        assert_eq!(counts.modems[0].counts.submitted, 0);
    }

    #[tokio::test(start_paused = true)]
    async fn the_inbox_can_be_waited_for() {
        let handle = simulator(1);
        let mut port = handle.open(0).unwrap();
        ask(&mut port, "AT+CMGS=22\r", "> ").await;
        port.write_all(SUBMIT.as_bytes()).await.unwrap();
        assert!(handle.inbox(None, Duration::from_secs(4)).await.is_empty());
        assert!(handle.inbox(Some("+19"), Duration::from_secs(60)).await.is_empty(), "another number's");
        let found = handle.inbox(Some("+14155550100"), Duration::from_secs(60)).await;
        assert_eq!(found[0].text, "hellohello");
        handle.clear_inbox();
        assert!(handle.inbox(None, Duration::ZERO).await.is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn what_comes_in_reaches_the_right_modem() {
        let handle = simulator(2);
        let number = handle.identity(1).unwrap().number;
        let mut port = handle.open(1).unwrap();
        ask(&mut port, "ATE0+CNMI=2,1\r", "OK\r\n").await;
        assert_eq!(handle.inbound("+14155550199", &number, "hi"), Some(1));
        assert_eq!(ask(&mut port, "", "1\r\n").await, "\r\n+CMTI: \"SM\",1\r\n");
        assert_eq!(handle.inbound("+14155550199", "+19", "hi"), None, "nobody's number");
        assert_eq!(handle.inbound("+14155550199", "", "hi"), Some(0), "no number: the first modem");
    }

    #[tokio::test(start_paused = true)]
    async fn unplugged_it_is_gone_and_replugged_it_boots() {
        let handle = simulator(1);
        let mut port = handle.open(0).unwrap();
        ask(&mut port, "ATE0\r", "OK\r\n").await;
        handle.unplug(0);
        assert_eq!(port.read(&mut [0; 8]).await.unwrap(), 0, "end of file");
        assert_eq!(handle.open(0).err().unwrap().kind(), io::ErrorKind::NotFound);
        handle.replug(0);
        let mut port = handle.open(0).unwrap();
        assert!(ask(&mut port, "", "SMS Ready\r\n").await.starts_with("\r\nRDY\r\n"));
        assert_eq!(handle.open(1).err().unwrap().kind(), io::ErrorKind::NotFound);
    }

    #[tokio::test(start_paused = true)]
    async fn who_opens_it_anew_takes_over_and_hears_what_came_meanwhile() {
        let handle = simulator(1);
        let mut port = handle.open(0).unwrap();
        ask(&mut port, "ATE0\r", "OK\r\n").await;
        ask(&mut port, "AT+CMGS=22\r", "> ").await;
        port.write_all(SUBMIT.as_bytes()).await.unwrap();
        tokio::time::sleep(Duration::from_secs(1)).await;
        drop(port);
        tokio::time::sleep(Duration::from_secs(10)).await;
        let mut port = handle.open(0).unwrap();
        assert_eq!(ask(&mut port, "", "OK\r\n").await, "\r\n+CMGS: 0\r\n\r\nOK\r\n");
        let mut second = handle.open(0).unwrap();
        assert_eq!(port.read(&mut [0; 8]).await.unwrap(), 0, "the first one sees end of file");
        ask(&mut second, "AT\r", "OK\r\n").await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_port_lost_by_a_fault_comes_back() {
        let handle = simulator(1);
        let mut faults = Faults::default();
        faults.set_flag("port_loss=prompt@next:1").unwrap();
        handle.set_faults(None, &faults);
        let mut port = handle.open(0).unwrap();
        port.write_all(b"ATE0\rAT+CMGS=22\r").await.unwrap();
        let mut said = Vec::new();
        port.read_to_end(&mut said).await.unwrap();
        assert!(handle.open(0).is_err());
        tokio::time::sleep(Duration::from_secs(3)).await;
        ask(&mut handle.open(0).unwrap(), "AT\r", "OK\r\n").await;
    }

    #[tokio::test(start_paused = true)]
    async fn stop_ends_every_task() {
        let handle = simulator(3);
        let mut port = handle.open(2).unwrap();
        ask(&mut port, "AT\r", "OK\r\n").await;
        handle.stop().await;
        assert_eq!(port.read(&mut [0; 8]).await.unwrap(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn a_host_that_does_not_read_costs_bounded_memory() {
        let handle = simulator(1);
        let mut port = handle.open(0).unwrap();
        for _ in 0..3000 {
            port.write_all(b"AT+CNMI=?;+CPMS=?;+CSCS=?\r").await.unwrap();
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert!(handle.shared.lock().lines[0].pending.len() <= PORT_BUFFER);
    }
}
