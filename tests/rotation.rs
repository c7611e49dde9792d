//! The rotation of the master key in the whole daemon, while it sends and checks: memory for a disk, virtual modems.

use otpgate::app::{App, Storage, World};
use otpgate::config::{Config, Environment, Simulate};
use otpgate::domain::id::{ClientId, MessageId, VerificationId};
use otpgate::domain::message::{OnUncertain, Priority};
use otpgate::domain::msisdn::Msisdn;
use otpgate::domain::reason::Reason;
use otpgate::domain::secret::Secret;
use otpgate::domain::time::Wall;
use otpgate::domain::verification::Origin;
use otpgate::domain::verification::VerificationState;
use otpgate::ops::clock::{Clock, VirtualClock};
use otpgate::ops::random::SeededRandom;
use otpgate::simulator::Simulator;
use otpgate::simulator::driver::SimulatorHandle;
use otpgate::simulator::modem::ModemOptions;
use otpgate::simulator::network::NetworkOptions;
use otpgate::store::memory_backend::{CrashMode, Disk};
use otpgate::store::{
    Access, Asked, Body, Check, Idempotency, MessageQuery, NewCode, NewMessage, NewVerification, Resend, StoreError,
};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

const TO: &str = "+14155550100";
const ME: Access = Access { client: ClientId(1), admin: false };
/// 2026-01-01T00:00:00Z.
const BEGIN: Wall = Wall(1_767_225_600_000);

#[tokio::test(start_paused = true)]
async fn a_code_sent_before_a_rotation_is_right_after_it_and_after_a_restart() {
    for restart in [false, true] {
        let house = House::start(1).await;
        let id = verify(&house, 1, TO).await;
        let code = code(&house, TO, 1).await;
        assert_eq!(check(&house, id, &wrong(&code)).await, (false, VerificationState::Pending));
        let old = rotate(&house).await;
        let house = if restart { crash(house).await } else { house };
        assert_eq!(older(&house).await, std::slice::from_ref(&old), "the code needs it");
        let verdict = check(&house, id, &wrong(&code)).await;
        assert_eq!(verdict, (false, VerificationState::Pending), "rewritten, and still its key");
        resend(&house, id).await;
        assert_eq!(self::code(&house, TO, 2).await, code, "the same code again");
        let house = if restart { crash(house).await } else { house };
        assert_eq!(check(&house, id, &code).await, (true, VerificationState::Approved), "restart: {restart}");
        settle(&house).await;
        assert!(older(&house).await.is_empty(), "and now nothing does");
        assert_eq!(house.disk.masters(&[7; 32]).older().len(), 0);
        house.app.stop().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_code_that_has_not_left_yet_is_right_after_a_rotation() {
    let house = House::start(0).await;
    let id = verify(&house, 1, TO).await;
    rotate(&house).await;
    let (disk, clock) = (house.disk.clone(), house.clock.clone());
    house.app.stop().await;
    let house = House::start_in(simulator(1), disk, clock).await;
    let code = code(&house, TO, 1).await;
    assert_eq!(check(&house, id, &code).await, (true, VerificationState::Approved));
    house.app.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_repeated_request_is_known_across_a_rotation_until_its_day_is_over() {
    let house = House::start(1).await;
    let key = Idempotency { key: [1; 32], fingerprint: [2; 32] };
    let first = house.app.store().accept(house.message(TO, "once"), Some(key)).await.unwrap();
    let old = rotate(&house).await;
    let house = crash(house).await;
    let again = house.app.store().accept(house.message(TO, "once"), Some(key)).await.unwrap();
    assert!(again.replayed && again.value.id == first.value.id);
    let other = Idempotency { fingerprint: [3; 32], ..key };
    let error = house.app.store().accept(house.message(TO, "twice"), Some(other)).await.unwrap_err();
    assert_eq!(error, StoreError::IdempotencyMismatch);
    let new = Idempotency { key: [4; 32], ..key };
    let made = house.app.store().accept(house.message(TO, "new"), Some(new)).await.unwrap();
    assert_eq!(older(&house).await, std::slice::from_ref(&old));
    tokio::time::sleep(Duration::from_secs(23 * 3600)).await;
    assert_eq!(older(&house).await, [old], "not before its day is over");
    let again = house.app.store().accept(house.message(TO, "new"), Some(new)).await.unwrap();
    assert!(again.replayed && again.value.id == made.value.id);
    tokio::time::sleep(Duration::from_secs(2 * 3600)).await;
    assert!(older(&house).await.is_empty());
    house.app.stop().await;
}

#[tokio::test(start_paused = true)]
async fn lists_and_superseding_by_number_go_on_and_a_repeated_order_makes_no_second_key() {
    let house = House::start(1).await;
    let mut ids = vec![house.accept(TO, "before").await];
    house.accept("+14155550101", "to another").await;
    let old = verify(&house, 1, "+14155550102").await;
    let before = house.app.store().rotation().await.unwrap();
    let first = house.app.store().rotate_master().await.unwrap();
    let second = house.app.store().rotate_master().await.unwrap();
    assert_eq!((first.current, &first.older), (second.current, &vec![before.current]));
    ids.push(house.accept(TO, "meanwhile").await);
    settle(&house).await;
    for round in 0..2 {
        let query = MessageQuery { to: Msisdn::parse(TO).ok(), limit: 50, ..MessageQuery::default() };
        let page = house.app.store().messages(ME, query).await.unwrap();
        let mut listed: Vec<MessageId> = page.items.iter().map(|m| m.id).collect();
        listed.sort();
        assert_eq!(listed, ids, "round {round}");
        ids.push(house.accept(TO, "later").await);
    }
    verify(&house, 2, "+14155550102").await;
    let superseded = house.app.store().verification(ME, old, None).await.unwrap().verification;
    assert_eq!(superseded.state, VerificationState::Canceled(Reason::Superseded));
    house.app.stop().await;
}

/// A daemon and what outlives it.
struct House {
    app: App,
    clock: Arc<VirtualClock>,
    simulator: SimulatorHandle,
    disk: Disk,
    made: AtomicU64,
}

impl House {
    async fn start(modems: usize) -> Self {
        Self::start_in(simulator(modems), Disk::default(), Arc::new(VirtualClock::new(BEGIN))).await
    }

    async fn start_in(simulator: SimulatorHandle, disk: Disk, clock: Arc<VirtualClock>) -> Self {
        let simulate = Simulate { modems: simulator.modem_count() as u8, air_time: Duration::from_millis(100) };
        let mut config = Config::defaults(Some(simulate), &Environment::default());
        config.listen.set_port(0);
        let world = World {
            clock: clock.clone(),
            random: Arc::new(SeededRandom::new(7)),
            storage: Storage::Memory(disk.clone(), [7; 32]),
            ..World::real()
        };
        let app = App::start(config, world.with_simulator(simulator.clone())).await.unwrap();
        // Ids go on after a restart: by the time it is then.
        let made = AtomicU64::new(clock.now().wall.0 as u64);
        Self { app, clock, simulator, disk, made }
    }

    async fn accept(&self, to: &str, text: &str) -> MessageId {
        self.app.store().accept(self.message(to, text), None).await.unwrap().value.id
    }

    /// A plain message for an hour, not taken in yet.
    fn message(&self, to: &str, text: &str) -> NewMessage {
        NewMessage {
            id: MessageId(self.made.fetch_add(1, Ordering::Relaxed).into()),
            client: ME.client,
            to: Msisdn::parse(to).unwrap(),
            body: Body::Text(Secret::new(text)),
            parts: 1,
            priority: Priority::Normal,
            flash: false,
            send_at: None,
            deadline: self.clock.now().after(Duration::from_secs(3600)),
            on_uncertain: OnUncertain::Leave,
            client_reference: None,
            asked: Asked::default(),
        }
    }
}

fn simulator(modems: usize) -> SimulatorHandle {
    let network = NetworkOptions { epoch: BEGIN, ..NetworkOptions::default() };
    otpgate::simulator::driver::spawn(Simulator::new(modems, &ModemOptions::default(), network, 7))
}

async fn rotate(house: &House) -> String {
    let old = house.app.store().rotation().await.unwrap().current;
    let rotation = house.app.store().rotate_master().await.unwrap();
    assert!(rotation.current != old && rotation.older == [old]);
    settle(house).await;
    old.to_string()
}

/// Until nothing is sealed anew any more.
async fn settle(house: &House) {
    while house.app.store().rotation().await.unwrap().resealing {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

async fn older(house: &House) -> Vec<String> {
    settle(house).await;
    house.app.store().rotation().await.unwrap().older.iter().map(ToString::to_string).collect()
}

/// The power fails and comes back.
async fn crash(house: House) -> House {
    let (simulator, disk, clock): (_, Disk, Arc<VirtualClock>) = (house.simulator, house.disk, house.clock);
    house.app.abort();
    tokio::time::sleep(Duration::from_millis(10)).await;
    disk.crash(CrashMode::Drop);
    House::start_in(simulator, disk, clock).await
}

async fn verify(house: &House, n: u128, to: &str) -> VerificationId {
    let expires = house.clock.now().after(Duration::from_secs(600));
    let body = Body::code("code ", "");
    let message = NewMessage { body, priority: Priority::Otp, deadline: expires, ..house.message(to, "code 123456") };
    let code = NewCode::Derived { length: 6, nonce: [n as u8; 16] };
    let id = VerificationId(n);
    let origin = Origin::default();
    let new = NewVerification {
        id,
        purpose: None,
        brand: None,
        metadata: None,
        code,
        expires,
        origin,
        supersedes: true,
        reveals: false,
        message,
    };
    house.app.store().create_verification(new, None).await.unwrap();
    id
}

async fn resend(house: &House, id: VerificationId) {
    let body = Body::code("code ", "");
    let message = house.message(TO, "code").id;
    house
        .app
        .store()
        .resend(ME, id, Resend { message, body, fresh: false, asked: Asked::default() }, None)
        .await
        .unwrap();
}

/// The code in the newest of so many messages.
async fn code(house: &House, to: &str, count: usize) -> String {
    for _ in 0..600 {
        let copies = house.simulator.inbox(Some(to), Duration::ZERO).await;
        if copies.len() == count {
            // The newest is the first.
            return copies[0].text.trim_start_matches("code ").to_owned();
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("{count} messages did not come");
}

async fn check(house: &House, id: VerificationId, code: &str) -> (bool, VerificationState) {
    let check = Check { code: Secret::new(code), to: None, purpose: None, amount: None, payee: None };
    let verdict = house.app.store().check(ME, id, check, None).await.unwrap();
    (verdict.valid, verdict.state)
}

/// Another code of the same length.
fn wrong(code: &str) -> String {
    code.bytes().map(|digit| char::from(b'0' + (digit - b'0' + 1) % 10)).collect()
}
