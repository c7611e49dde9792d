//! The dialogue with one modem.
//!
//! Call [`Engine::handle_input`], then drain [`Engine::poll_output`], then sleep until [`Engine::next_timeout`].
//!
//! One thing is in flight at a time. A line answers only if it bears the running command's prefix or has the shape
//! declared for it; everything else is news or goes to the trace. Deadlines are absolute: no line extends one. Whenever
//! the dialogue may have slipped (a time-out, a prompt out of turn) the engine escapes, waits for quiet and puts a
//! query whose line is unmistakable, and only behind that line does it believe anything again. A result of what was
//! given up may come later still: for 180 s it is not taken for a message's. A modem that takes seconds over each answer is
//! given more time. Between 0x1A and the result, or 180 s, it
//! writes nothing at all, unless the modem says that it has restarted: then for 5 s more.

mod functionality;
mod owed;
mod read;
mod submit;
mod sync;
mod tempo;

use super::command::Command;
use super::event::{Event, Input, NotTransmitted, Output, Refusal, Reply, ReplyEnd, Submit, SubmitResult};
use super::line::{Framer, Line, Piece};
use super::response::PduHex;
use super::result::FinalResult;
use crate::domain::time::Mono;
use functionality::Functionality;
use owed::Owed;
use read::{Meaning, SecondLine};
use std::collections::VecDeque;
use std::fmt;
use std::time::Duration;
use submit::Dialogue;
use sync::Sync;
use tempo::Tempo;

/// What may differ from modem to modem.
#[derive(Clone, Debug)]
pub struct Config {
    /// Pause after a final result before the next command.
    pub command_gap: Duration,
    /// How long nothing must have come before the modem counts as quiet. At least 300 ms for a real one.
    pub quiet: Duration,
    /// Queries this modem answers with a line of their own prefix, for barriers. Taken in turn.
    pub barriers: Vec<Command>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            command_gap: Duration::ZERO,
            quiet: Duration::from_millis(300),
            barriers: vec![Command::character_set(), Command::message_format(), Command::message_service_state()],
        }
    }
}

/// One modem's dialogue. See the module's text.
pub struct Engine {
    config: Config,
    framer: Framer,
    state: State,
    second_line: SecondLine,
    /// What of the last command or PDU has not been echoed yet.
    echo: String,
    /// The last commands sent, whose echo is nobody else's.
    said: VecDeque<String>,
    /// An orphan `+CMGS:` came: until then an `OK` is its own, not the running command's.
    orphan_ok_until: Option<Mono>,
    owed: Owed,
    tempo: Tempo,
    functionality: Functionality,
    /// It was seen to answer a message with `OK` alone.
    answers_bare: bool,
    next_barrier: usize,
    /// What is said before the modem is looked for.
    revival: VecDeque<Command>,
    outputs: VecDeque<Output>,
}

#[derive(Debug)]
enum State {
    /// Not started, or given up.
    Closed,
    /// Nothing is in flight. No command before `from`.
    Idle { from: Mono },
    /// A job waits for the gap after the last one.
    Held { from: Mono, job: Job },
    /// A command runs.
    Command(Running),
    /// A message is being handed over.
    Submit(Dialogue),
    /// Finding, or finding back to, the modem.
    Sync(Sync),
}

#[derive(Debug)]
enum Job {
    Command(Command),
    Submit(Submit),
}

#[derive(Debug)]
struct Running {
    command: Command,
    deadline: Mono,
    grace: Option<Mono>,
    lines: Vec<Line>,
    bytes: usize,
}

impl Engine {
    /// An engine whose port is not open yet.
    pub fn new(config: Config) -> Self {
        Self {
            config,
            framer: Framer::default(),
            state: State::Closed,
            second_line: SecondLine::None,
            echo: String::new(),
            said: VecDeque::new(),
            orphan_ok_until: None,
            owed: Owed::default(),
            tempo: Tempo::default(),
            functionality: Functionality::default(),
            answers_bare: false,
            next_barrier: 0,
            revival: VecDeque::new(),
            outputs: VecDeque::new(),
        }
    }

    /// Takes over what bring-up learned. Holds from the next command on.
    pub fn set_config(&mut self, config: Config) {
        self.config = config;
    }

    /// Whether a command or a message would be taken now.
    pub fn is_ready(&self) -> bool {
        matches!(self.state, State::Idle { .. })
    }

    /// Whether 0x1A left and neither a result nor the end of listening has come: nothing may be written.
    pub fn is_on_air(&self) -> bool {
        matches!(&self.state, State::Submit(dialogue) if dialogue.is_on_air())
    }

    /// Takes what happened at `now`. Deadlines that have come are served first: no byte moves one.
    pub fn handle_input(&mut self, now: Mono, input: Input<'_>) {
        self.serve_deadlines(now);
        match input {
            Input::Start { listen_until } => {
                self.drop_everything();
                // It may be another modem.
                self.answers_bare = false;
                self.start(now, listen_until);
            }
            Input::Revive(commands) => self.revival = commands.into(),
            Input::Reset => self.drop_everything(),
            Input::Bytes(bytes) => bytes.iter().for_each(|byte| self.take_byte(now, *byte)),
            Input::Timeout => {}
            Input::Command(command) => self.take_job(now, Job::Command(command)),
            Input::Submit(submit) if PduHex::new(submit.pdu.as_str(), submit.length).is_none() => {
                self.emit(Event::Refused(Refusal::WrongLength));
            }
            Input::Submit(submit) => self.take_job(now, Job::Submit(submit)),
            Input::Release { token, granted } => self.take_release(now, token, granted),
            Input::Withheld { token } => self.withheld(now, token),
            Input::Abort => self.abort(now),
        }
    }

    /// What to do next; `None` when there is nothing before the next input.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When [`Input::Timeout`] is due, if nothing else happens before.
    pub fn next_timeout(&self) -> Option<Mono> {
        match &self.state {
            State::Closed | State::Idle { .. } => None,
            State::Held { from, .. } => Some(*from),
            State::Command(running) => {
                Some(running.grace.map_or(running.deadline, |grace| grace.min(running.deadline)))
            }
            State::Submit(dialogue) => Some(dialogue.deadline()),
            State::Sync(sync) => Some(sync.deadline()),
        }
    }

    fn serve_deadlines(&mut self, now: Mono) {
        while self.next_timeout().is_some_and(|at| at <= now) {
            match std::mem::replace(&mut self.state, State::Closed) {
                State::Held { job, .. } => self.begin(now, job),
                State::Command(running) => self.command_timed_out(now, running),
                State::Submit(dialogue) => self.submit_timed_out(now, dialogue),
                State::Sync(sync) => self.sync_timed_out(now, sync),
                state => self.state = state,
            }
        }
    }

    fn take_job(&mut self, now: Mono, job: Job) {
        match self.state {
            State::Idle { from } if from <= now => self.begin(now, job),
            State::Idle { from } => self.state = State::Held { from, job },
            State::Closed => self.emit(Event::Refused(Refusal::NotStarted)),
            _ if self.is_on_air() => self.emit(Event::Refused(Refusal::OnAir)),
            _ => self.emit(Event::Refused(Refusal::Busy)),
        }
    }

    fn begin(&mut self, now: Mono, job: Job) {
        match job {
            Job::Command(command) => {
                self.say(now, command.text());
                let deadline = now + command.deadline + self.tempo.allowance();
                self.state = State::Command(Running { command, deadline, grace: None, lines: Vec::new(), bytes: 0 });
            }
            Job::Submit(submit) => self.begin_submit(now, submit),
        }
    }

    fn abort(&mut self, now: Mono) {
        if self.is_on_air() {
            return self.emit(Event::Refused(Refusal::OnAir));
        }
        match std::mem::replace(&mut self.state, State::Closed) {
            State::Held { from, job } => {
                self.state = State::Idle { from };
                self.give_up(job, ReplyEnd::Aborted, NotTransmitted::Aborted);
            }
            State::Command(running) => {
                self.owed.add(now);
                self.reply(running.lines, ReplyEnd::Aborted);
                self.resynchronise(now, Some(running.command));
            }
            State::Submit(dialogue) => self.not_transmitted(now, dialogue.token(), NotTransmitted::Aborted),
            state => self.state = state,
        }
    }

    /// The port is another one now: ends what was open and forgets what was half heard.
    fn drop_everything(&mut self) {
        match std::mem::replace(&mut self.state, State::Closed) {
            State::Held { job, .. } => self.give_up(job, ReplyEnd::PortLost, NotTransmitted::PortLost),
            State::Command(running) => self.reply(running.lines, ReplyEnd::PortLost),
            State::Submit(dialogue) => self.port_lost(&dialogue),
            State::Closed | State::Idle { .. } | State::Sync(_) => {}
        }
        self.framer.clear();
        self.revival.clear();
        self.second_line = SecondLine::None;
        self.orphan_ok_until = None;
        self.echo.clear();
        self.said.clear();
    }

    /// Ends a job that has not been said yet.
    fn give_up(&mut self, job: Job, end: ReplyEnd, why: NotTransmitted) {
        match job {
            Job::Command(_) => self.reply(Vec::new(), end),
            Job::Submit(submit) => {
                let result = SubmitResult::NotTransmitted(why);
                self.emit(Event::Submitted { token: submit.token, result });
            }
        }
    }

    fn take_byte(&mut self, now: Mono, byte: u8) {
        if let State::Sync(sync) = &mut self.state {
            sync.hear_byte(now, self.config.quiet);
        }
        let prompts = !matches!(self.second_line, SecondLine::Text { .. });
        match self.framer.push(byte, prompts) {
            None => {}
            Some(Piece::Noise(bytes)) => self.emit(Event::Noise { bytes }),
            Some(Piece::Prompt) => self.take_prompt(now),
            Some(Piece::Line(line)) => self.take_line(now, line),
        }
    }

    fn take_prompt(&mut self, now: Mono) {
        match std::mem::replace(&mut self.state, State::Closed) {
            State::Submit(dialogue) => self.prompt_in_submit(now, dialogue),
            State::Sync(sync) => self.prompt_in_sync(now, sync),
            State::Closed => {}
            State::Idle { .. } => self.stray_prompt(now, None),
            State::Held { job, .. } => {
                self.give_up(job, ReplyEnd::Interrupted, NotTransmitted::Interrupted);
                self.stray_prompt(now, None);
            }
            State::Command(running) => {
                self.owed.add(now);
                self.reply(running.lines, ReplyEnd::Interrupted);
                self.stray_prompt(now, Some(running.command));
            }
        }
    }

    fn stray_prompt(&mut self, now: Mono, swallowed: Option<Command>) {
        self.emit(Event::StrayPrompt);
        self.resynchronise(now, swallowed);
    }

    fn take_line(&mut self, now: Mono, line: Line) {
        let Some(meaning) = self.read(now, line) else { return };
        match (std::mem::replace(&mut self.state, State::Closed), meaning) {
            (State::Submit(dialogue), meaning) => self.line_in_submit(now, dialogue, meaning),
            (State::Sync(sync), meaning) => self.line_in_sync(now, sync, meaning),
            (State::Command(running), Meaning::Answer(line)) => self.command_answered(now, running, line),
            (State::Command(running), Meaning::Final(result)) if !self.is_orphans(now, result) => {
                self.tempo.answered(now, running.command.is_usual());
                if !result.is_ok() && running.command.answers_with("+CFUN:") {
                    self.functionality.settle();
                }
                self.idle(now, result);
                self.reply(running.lines, ReplyEnd::Final(result));
            }
            (State::Held { from, job }, Meaning::Booted) => {
                // What it forgot may be the very mode that the job was made for: the session sets it up anew first.
                self.state = State::Idle { from };
                self.give_up(job, ReplyEnd::Interrupted, NotTransmitted::Interrupted);
            }
            (state, Meaning::Reference(reference)) => {
                self.state = state;
                self.orphan(now, reference);
            }
            (state, Meaning::Final(result)) => {
                self.state = state;
                self.is_nobodys(now, result);
            }
            (state, Meaning::Answer(_) | Meaning::Booted) => self.state = state,
        }
    }

    fn command_answered(&mut self, now: Mono, mut running: Running, line: Line) {
        if running.grace.is_none() {
            running.grace = running.command.grace.map(|grace| now + grace);
        }
        if line.prefix() == Some("+CFUN:") {
            self.functionality.settle();
        }
        running.bytes += line.as_str().len() + size_of::<Line>();
        if running.bytes <= MAX_REPLY {
            running.lines.push(line);
        }
        self.state = State::Command(running);
    }

    fn command_timed_out(&mut self, now: Mono, running: Running) {
        if running.grace.is_some_and(|grace| grace <= now) {
            self.idle(now, FinalResult::Ok);
            return self.reply(running.lines, ReplyEnd::Final(FinalResult::Ok));
        }
        self.owed.add_timed_out(now, self.tempo.since());
        self.reply(running.lines, ReplyEnd::TimedOut);
        self.resynchronise(now, Some(running.command));
    }

    /// Nothing is in flight any more, since `result` came.
    fn idle(&mut self, now: Mono, result: FinalResult) {
        // `+CMS ERROR: 340` was seen with an `ERROR` behind it, which must not end the next command.
        let pause = if result == FinalResult::Cms(Some(340)) { DOUBLE_RESULT } else { Duration::ZERO };
        self.state = State::Idle { from: now + self.config.command_gap.max(pause) };
        self.forget_answer();
    }

    /// A `+CMGS:` that nobody waits for. The `OK` behind it is as much an orphan.
    fn orphan(&mut self, now: Mono, reference: u8) {
        self.orphan_ok_until = Some(now + ORPHAN_OK);
        self.answers_bare = false;
        self.emit(Event::OrphanResult { reference });
    }

    /// A result came that ends nothing: it may be one that was owed.
    fn is_nobodys(&mut self, now: Mono, result: FinalResult) -> bool {
        self.is_orphans(now, result);
        let paid = self.owed.pay(now, result);
        if let Some(asked) = paid.as_ref().and_then(|debt| debt.asked) {
            self.tempo.late(now - asked);
        }
        paid.is_some()
    }

    /// Whether `result` is the `OK` of an orphan `+CMGS:`.
    fn is_orphans(&mut self, now: Mono, result: FinalResult) -> bool {
        result.is_ok() && self.orphan_ok_until.take().is_some_and(|until| now < until)
    }

    fn say(&mut self, now: Mono, text: &str) {
        self.tempo.said(now);
        self.functionality.said(now, text);
        if self.said.len() == SAID {
            self.said.pop_front();
        }
        self.said.push_back(text.to_owned());
        self.echo = text.to_owned();
        self.transmit([text.as_bytes(), b"\r"].concat());
    }

    fn transmit(&mut self, bytes: Vec<u8>) {
        self.outputs.push_back(Output::Transmit { bytes, irreversible: false });
    }

    fn emit(&mut self, event: Event) {
        self.outputs.push_back(Output::Event(event));
    }

    fn reply(&mut self, lines: Vec<Line>, end: ReplyEnd) {
        self.emit(Event::Replied(Reply { lines, end }));
    }
}

impl fmt::Debug for Engine {
    /// Only the state: what was last said may hold a PIN or a PDU.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine").field("state", &self.state).finish_non_exhaustive()
    }
}

/// Most bytes of answer lines kept for one command. A full storage of 255 messages listed fits.
const MAX_REPLY: usize = 128 * 1024;
/// Commands remembered for their echo.
const SAID: usize = 4;
/// How long the `OK` of an orphan `+CMGS:` is waited for.
const ORPHAN_OK: Duration = Duration::from_secs(2);
/// How long a second final result may follow the first.
const DOUBLE_RESULT: Duration = Duration::from_millis(100);
