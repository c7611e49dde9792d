//! What the suite stands on: a store that can be stopped, crashed and started again on the same disk, and modems that
//! take its messages. Time is tokio's, paused.

mod audit;
mod clocks;
mod damage;
mod deliveries;
mod events;
mod guard;
mod inbound;
mod keys;
mod lessons;
mod limits;
mod pins;
mod random;
mod reports;
mod requests;
mod restarts;
mod sending;
mod torn;
mod verifications;
mod webhooks;

use otpgate::domain::equipment::{Imei, SimCard};
use otpgate::domain::guard::GuardRules;
use otpgate::domain::id::{ClientId, MessageId, VerificationId};
use otpgate::domain::inbound::InboundRules;
use otpgate::domain::message::{
    IntentOf, Message, OnUncertain, PartId, PartResult, Priority, ReportVerdict, State, Status,
};
use otpgate::domain::msisdn::Msisdn;
use otpgate::domain::secret::Secret;
use otpgate::domain::time::{Now, Wall};
use otpgate::domain::verification::{Origin, Verification};
use otpgate::ops::clock::{Clock, VirtualClock};
use otpgate::ops::random::SeededRandom;
use otpgate::store::backend::{Backend, Change, SLOT, Slot};
use otpgate::store::committer::{BoxStore, Ended};
use otpgate::store::keyring::Keyring;
use otpgate::store::memory_backend::{CrashMode, Disk, MemoryBackend};
use otpgate::store::record::Key;
use otpgate::store::sled_backend::SledBackend;
use otpgate::store::vault::{Opened, StoreKind, VaultError};
use otpgate::store::{
    Access, Asked, Body, Check, Claim, Grant, LateResult, Matched, NewCode, NewMessage, NewVerification, Outcome,
    Policy, Readiness, Report, Resend, Store, StoreError, Verdict, VerificationView,
};
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tempfile::TempDir;

/// Makes a test of each case on each store.
macro_rules! on_both_stores {
    ($($case:ident)*) => {
        mod in_memory {
            $(#[tokio::test(start_paused = true)]
            async fn $case() {
                super::$case(crate::store::World::in_memory()).await;
            })*
        }
        mod on_disk {
            $(#[tokio::test(start_paused = true)]
            async fn $case() {
                super::$case(crate::store::World::on_disk()).await;
            })*
        }
    };
}
pub(crate) use on_both_stores;

/// A store, its disk and its clock.
pub(crate) struct World {
    pub(crate) clock: Arc<VirtualClock>,
    /// What is done with what comes in, from the next start on.
    pub(crate) rules: InboundRules,
    /// What the guard keeps back, from the next start on.
    pub(crate) guard: GuardRules,
    pub(crate) keep_audits: Duration,
    /// What the last start found.
    pub(crate) opened: Opened,
    medium: Medium,
    /// What SIM cards may send, from the next start on.
    pub(crate) policy: Policy,
    running: Option<(Arc<dyn Store>, Ended)>,
    ids: AtomicU64,
    starts: u64,
}

enum Medium {
    Memory(Disk),
    Sled(TempDir),
}

/// A modem and the SIM card in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Modem {
    pub(crate) imei: Imei,
    pub(crate) sim_card: SimCard,
}

/// A copy of a store, or of its mark alone.
pub(crate) struct Saved {
    map: Vec<(Vec<u8>, Vec<u8>)>,
    marks: [Option<[u8; SLOT]>; 2],
}

impl World {
    pub(crate) fn in_memory() -> Self {
        Self::on(Medium::Memory(Disk::default()))
    }

    pub(crate) fn on_disk() -> Self {
        Self::on(Medium::Sled(tempfile::tempdir().unwrap()))
    }

    fn on(medium: Medium) -> Self {
        let mut world = Self {
            clock: Arc::new(VirtualClock::new(BEGIN)),
            rules: InboundRules::default(),
            guard: GuardRules::off(),
            keep_audits: 400 * 24 * HOUR,
            opened: Opened::default(),
            medium,
            policy: Policy::default(),
            running: None,
            ids: AtomicU64::new(0),
            starts: 0,
        };
        world.start();
        world
    }

    // Its life.

    pub(crate) fn store(&self) -> &dyn Store {
        &*self.running.as_ref().expect("the store has been started").0
    }

    pub(crate) fn start(&mut self) {
        self.starts += 1;
        let random = Arc::new(SeededRandom::new(self.starts));
        let keyring = Keyring::new(&[7; 32]);
        let clock: Arc<dyn Clock> = self.clock.clone();
        let (store, ended, opened) =
            BoxStore::open_with(self.backend(), keyring, random, StoreKind::Real, clock, self.policy.clone())
                .expect("it opens");
        store.set_inbound_rules(self.rules.clone());
        store.set_guard_rules(self.guard.clone());
        store.keep_audits(self.keep_audits);
        self.running = Some((Arc::new(store), ended));
        self.opened = opened;
    }

    /// Ends the store in good order.
    pub(crate) async fn stop(&mut self) {
        let (store, ended) = self.running.take().expect("the store has been started");
        store.close().await.unwrap();
        ended.await.unwrap().unwrap();
    }

    pub(crate) async fn restart(&mut self) {
        self.stop().await;
        self.start();
    }

    /// The power fails, and comes again.
    pub(crate) async fn crash(&mut self) {
        self.power_fails(CrashMode::Drop).await;
        self.start();
    }

    /// The power fails; what was not synced is dropped, kept or split. On disk there is nothing that was not synced.
    pub(crate) async fn power_fails(&mut self, mode: CrashMode) {
        let (_, ended) = self.running.take().expect("the store has been started");
        match &mut self.medium {
            Medium::Memory(disk) => {
                ended.abort();
                let _ = ended.await;
                disk.crash(mode);
            }
            Medium::Sled(dir) => {
                // sled writes when it is dropped, so what a crash leaves is a copy from before that.
                let copy = tempfile::tempdir().unwrap();
                copy_dir(dir.path(), copy.path());
                ended.abort();
                let _ = ended.await;
                *dir = copy;
            }
        }
    }

    /// How the committer ends. Waits until it does.
    pub(crate) async fn end(&mut self) -> Result<(), VaultError> {
        self.running.take().expect("the store has been started").1.await.unwrap()
    }

    /// The disk in memory.
    pub(crate) fn disk(&self) -> Disk {
        match &self.medium {
            Medium::Memory(disk) => disk.clone(),
            Medium::Sled(_) => panic!("this case is for the disk in memory"),
        }
    }

    fn backend(&self) -> Box<dyn Backend> {
        match &self.medium {
            Medium::Memory(disk) => Box::new(MemoryBackend::on(disk)),
            Medium::Sled(dir) => Box::new(SledBackend::open(dir.path()).unwrap()),
        }
    }

    // Its disk, while it is stopped.

    /// Whether there is such a record. Restarts the store.
    pub(crate) async fn has(&mut self, key: Key) -> bool {
        self.stop().await;
        let found = self.backend().get(&key.to_bytes()).unwrap().is_some();
        self.start();
        found
    }

    /// Everything that is on disk. The store must be stopped.
    pub(crate) fn save(&self) -> Saved {
        let backend = self.backend();
        let mut map = Vec::new();
        backend.scan(&mut |key, value| map.push((key.to_vec(), value.to_vec()))).unwrap();
        Saved { map, marks: backend.marks().unwrap() }
    }

    /// Puts the map as it was. The store must be stopped.
    pub(crate) fn put_map(&self, saved: &Saved) {
        let now = self.save();
        let mut changes: Vec<_> = now.map.into_iter().map(|(key, _)| Change::Delete(key)).collect();
        changes.extend(saved.map.iter().map(|(key, value)| Change::Put(key.clone(), value.clone())));
        self.write(&changes, &now.marks);
    }

    /// Puts the mark as it was. The store must be stopped.
    pub(crate) fn put_mark(&self, saved: &Saved) {
        self.write(&[], &saved.marks);
    }

    /// Takes the mark away. The store must be stopped.
    pub(crate) fn remove_mark(&self) {
        match &self.medium {
            Medium::Memory(disk) => disk.set_marks([None; 2]),
            Medium::Sled(dir) => fs::remove_file(dir.path().join("mark")).unwrap(),
        }
    }

    /// Flips a bit of a record. The store must be stopped.
    pub(crate) fn damage(&self, key: Key) {
        let saved = self.save();
        let (key, mut value) = saved.map.iter().find(|(k, _)| *k == key.to_bytes()).unwrap().clone();
        *value.last_mut().unwrap() ^= 1;
        self.write(&[Change::Put(key, value)], &saved.marks);
    }

    fn write(&self, changes: &[Change], marks: &[Option<[u8; SLOT]>; 2]) {
        let mut backend = self.backend();
        for (place, bytes) in marks.iter().enumerate() {
            let slot = Slot { place, bytes: bytes.unwrap_or([0; SLOT]) };
            backend.commit(changes, &slot).unwrap();
        }
        if let Medium::Memory(disk) = &self.medium {
            disk.set_marks(*marks);
        }
    }

    // What is asked of it.

    pub(crate) fn now(&self) -> Now {
        self.clock.now()
    }

    fn next_id(&self) -> [u8; 10] {
        let mut bytes = [0; 10];
        bytes[2..].copy_from_slice(&self.ids.fetch_add(1, Ordering::Relaxed).to_be_bytes());
        bytes
    }

    pub(crate) fn message_id(&self) -> MessageId {
        MessageId::new(self.now().wall, self.next_id())
    }

    pub(crate) fn verification_id(&self) -> VerificationId {
        VerificationId::new(self.now().wall, self.next_id())
    }

    /// A plain message of one part to Anna, good for a day.
    pub(crate) fn plain(&self) -> NewMessage {
        NewMessage {
            id: self.message_id(),
            client: ME.client,
            to: anna(),
            body: Body::Text(Secret::new("Hello")),
            parts: 1,
            priority: Priority::Normal,
            flash: false,
            send_at: None,
            deadline: self.now().after(DAY),
            on_uncertain: OnUncertain::Leave,
            client_reference: None,
            asked: Asked::default(),
        }
    }

    /// A code of six digits for Anna, good for five minutes.
    pub(crate) fn code(&self) -> NewVerification {
        let expires = self.now().after(secs(300));
        NewVerification {
            id: self.verification_id(),
            purpose: None,
            brand: None,
            metadata: None,
            code: NewCode::Derived { length: 6, nonce: [9; 16] },
            expires,
            origin: Origin::default(),
            supersedes: true,
            reveals: false,
            message: NewMessage {
                body: code_body(),
                priority: Priority::Otp,
                deadline: expires,
                on_uncertain: OnUncertain::ResendOnce,
                ..self.plain()
            },
        }
    }

    pub(crate) async fn accept(&self, new: NewMessage) -> MessageId {
        self.store().accept(new, None).await.unwrap().value.id
    }

    /// Takes a verification in; gives its id and its message's.
    pub(crate) async fn verify(&self, new: NewVerification) -> (VerificationId, MessageId) {
        let view = self.store().create_verification(new, None).await.unwrap().value;
        (view.verification.id, view.verification.message)
    }

    pub(crate) async fn check(&self, id: VerificationId, code: &str) -> Result<Verdict, StoreError> {
        self.store().check(ME, id, given(code), None).await
    }

    pub(crate) async fn resend(&self, id: VerificationId, fresh: bool) -> Result<MessageId, StoreError> {
        let resend = Resend { message: self.message_id(), body: code_body(), fresh, asked: Asked::default() };
        Ok(self.store().resend(ME, id, resend, None).await?.value.verification.message)
    }

    pub(crate) async fn cancel(&self, id: MessageId) -> Result<Message, StoreError> {
        Ok(self.store().cancel_message(ME, id, None).await?.value)
    }

    pub(crate) async fn cancel_verification(&self, id: VerificationId) -> Result<VerificationView, StoreError> {
        Ok(self.store().cancel_verification(ME, id, None).await?.value)
    }

    pub(crate) async fn message(&self, id: MessageId) -> Message {
        self.store().message(ADMIN, id, None).await.unwrap()
    }

    pub(crate) async fn status(&self, id: MessageId) -> Status {
        self.message(id).await.status()
    }

    pub(crate) async fn state(&self, id: MessageId) -> State {
        self.message(id).await.state
    }

    pub(crate) async fn verification(&self, id: VerificationId) -> Verification {
        self.store().verification(ADMIN, id, None).await.unwrap().verification
    }

    // What modems do.

    /// The next message for this modem, if there is one now.
    pub(crate) async fn try_claim(&self, modem: &Modem) -> Option<Claim> {
        let claim = self.store().claim(modem.imei.clone(), modem.sim_card.clone());
        tokio::time::timeout(AT_ONCE, claim).await.ok().map(|claim| claim.unwrap())
    }

    pub(crate) async fn claim(&self, modem: &Modem) -> Claim {
        self.try_claim(modem).await.expect("there is a message to claim")
    }

    pub(crate) async fn has_nothing_for(&self, modem: &Modem) -> bool {
        self.try_claim(modem).await.is_none()
    }

    /// The intent for a message's next part over this modem.
    pub(crate) async fn intent(&self, claim: &Claim, modem: &Modem) -> IntentOf {
        let message = self.message(claim.message.id).await;
        IntentOf {
            modem: modem.imei.clone(),
            sim_card: modem.sim_card.clone(),
            part: message.next_part(&modem.imei, &modem.sim_card),
            concat_reference: claim.concat_reference,
            report_until: self.now().after(REPORT_WINDOW),
            needs: secs(15),
        }
    }

    pub(crate) async fn begin(&self, claim: &Claim, modem: &Modem) -> Grant {
        let intent = self.intent(claim, modem).await;
        self.store().begin(claim.message.id, intent).await.unwrap()
    }

    /// Claims the next message and hands the byte that can't be taken back over.
    pub(crate) async fn put_on_air(&self, modem: &Modem) -> (Claim, PartId) {
        let claim = self.claim(modem).await;
        let part = self.put_part_on_air(&claim, modem).await;
        (claim, part)
    }

    pub(crate) async fn put_part_on_air(&self, claim: &Claim, modem: &Modem) -> PartId {
        let intent = self.intent(claim, modem).await;
        let part = intent.part;
        assert_eq!(self.store().begin(claim.message.id, intent).await, Ok(Grant::Granted));
        assert!(claim.gate.pass());
        part
    }

    pub(crate) async fn settle(&self, id: MessageId, part: PartId, modem: &Modem, result: PartResult) {
        let outcome = Outcome { message: id, part, sim_card: modem.sim_card.clone(), result };
        assert_eq!(self.store().settle(outcome, None).await, Ok(None));
    }

    /// Sends the next message or part, with this result.
    pub(crate) async fn send(&self, modem: &Modem, result: PartResult) -> MessageId {
        let (claim, part) = self.put_on_air(modem).await;
        self.settle(claim.message.id, part, modem, result).await;
        claim.message.id
    }

    /// Brings a status report for Anna.
    pub(crate) async fn report(&self, modem: &Modem, reference: u8, verdict: ReportVerdict) -> Option<MessageId> {
        self.report_for(anna().reveal_digits(), modem, reference, verdict).await
    }

    pub(crate) async fn report_for(
        &self,
        digits: &str,
        modem: &Modem,
        reference: u8,
        verdict: ReportVerdict,
    ) -> Option<MessageId> {
        let status = match verdict {
            ReportVerdict::Delivered => 0x00,
            ReportVerdict::Unconfirmed => 0x01,
            ReportVerdict::StillTrying => 0x20,
            ReportVerdict::Failed => 0x41,
            ReportVerdict::GaveUp => 0x60,
        };
        let sim_card = modem.sim_card.clone();
        let report = Report { sim_card, reference, recipient: Secret::new(digits), status, verdict };
        match self.store().report(report).await.unwrap() {
            Matched::Recorded(id) => Some(id),
            Matched::Known | Matched::Kept | Matched::Refused => None,
        }
    }

    pub(crate) async fn late_result(&self, modem: &Modem, result: PartResult) -> Option<MessageId> {
        let Modem { imei, sim_card } = modem.clone();
        self.store().late_result(LateResult { modem: imei, sim_card, result, waited_for: false }).await.unwrap()
    }

    pub(crate) async fn ready(&self, modems: &[&Modem]) {
        for modem in modems {
            self.store().set_ready(modem.imei.clone(), modem.sim_card.clone(), Readiness::yes()).await.unwrap();
        }
    }

    pub(crate) async fn not_ready(&self, modem: &Modem) {
        self.store().set_ready(modem.imei.clone(), modem.sim_card.clone(), Readiness::no()).await.unwrap();
    }
}

pub(crate) fn modem(n: u8) -> Modem {
    Modem {
        imei: Imei::new(format!("4901542032375{n:02}")),
        sim_card: SimCard::new(format!("890141032111185107{n:02}")),
    }
}

pub(crate) fn anna() -> Msisdn {
    Msisdn::parse("+447700900123").unwrap()
}

pub(crate) fn bob() -> Msisdn {
    Msisdn::parse("+447700900456").unwrap()
}

pub(crate) fn code_body() -> Body {
    Body::code("Your code is ", ".")
}

/// The code in a claimed text.
pub(crate) fn code_in(claim: &Claim) -> String {
    let text = claim.text.reveal();
    text.strip_prefix("Your code is ").and_then(|t| t.strip_suffix('.')).expect("the text has its code").to_owned()
}

/// Another code of the same length.
pub(crate) fn wrong(code: &str) -> String {
    code.chars().map(|c| if c == '9' { '0' } else { char::from(c as u8 + 1) }).collect()
}

pub(crate) fn given(code: &str) -> Check {
    Check { code: Secret::new(code), to: None, purpose: None, amount: None, payee: None }
}

pub(crate) fn accepted(reference: u8) -> PartResult {
    PartResult::Accepted(Some(reference))
}

pub(crate) fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

pub(crate) async fn pass(time: Duration) {
    tokio::time::sleep(time).await;
}

fn copy_dir(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            fs::create_dir(&target).unwrap();
            copy_dir(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// 2026-01-01T00:00:00Z.
pub(crate) const BEGIN: Wall = Wall(1_767_225_600_000);
pub(crate) const ME: Access = Access { client: ClientId(1), admin: false };
pub(crate) const STRANGER: Access = Access { client: ClientId(2), admin: false };
pub(crate) const ADMIN: Access = Access { client: ClientId(3), admin: true };
pub(crate) const DAY: Duration = Duration::from_secs(86_400);
pub(crate) const HOUR: Duration = Duration::from_secs(3_600);
pub(crate) const MINUTE: Duration = Duration::from_secs(60);
/// TP-VP of an hour, and ten minutes.
pub(crate) const REPORT_WINDOW: Duration = Duration::from_secs(4_200);
/// Long enough for the store to answer, too short for anything else to happen.
const AT_ONCE: Duration = Duration::from_millis(10);
