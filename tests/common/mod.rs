//! What the tests of the whole daemon share.

#![allow(dead_code, unreachable_pub, reason = "each test file uses its own part")]
#![allow(clippy::disallowed_methods, reason = "tokio's instant follows the paused clock")]

use otpgate::app::{App, Storage, World};
use otpgate::config::{Config, Environment, Simulate};
use otpgate::domain::id::{ClientId, MessageId};
use otpgate::domain::message::{Message, OnUncertain, Priority};
use otpgate::domain::msisdn::Msisdn;
use otpgate::domain::secret::Secret;
use otpgate::domain::time::Wall;
use otpgate::ops::clock::{Clock, VirtualClock};
use otpgate::ops::random::SeededRandom;
use otpgate::simulator::Simulator;
use otpgate::simulator::driver::SimulatorHandle;
use otpgate::simulator::modem::ModemOptions;
use otpgate::simulator::network::NetworkOptions;
use otpgate::store::memory_backend::Disk;
use otpgate::store::{Access, Body, NewMessage, Wait};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// A wall time to begin at: 2026-01-01T00:00:00Z.
pub(crate) const BEGIN: Wall = Wall(1_767_225_600_000);
pub(crate) const ME: Access = Access { client: ClientId(1), admin: false };

/// A daemon and the world around it.
pub(crate) struct House {
    pub(crate) app: App,
    pub(crate) clock: Arc<VirtualClock>,
    pub(crate) simulator: SimulatorHandle,
    pub(crate) disk: Disk,
    ids: AtomicU64,
}

impl House {
    /// A new world with so many modems.
    pub(crate) async fn start(modems: usize) -> Self {
        let network = NetworkOptions { epoch: BEGIN, ..NetworkOptions::default() };
        let simulator = Simulator::new(modems, &ModemOptions::default(), network, 7);
        let simulator = otpgate::simulator::driver::spawn(simulator);
        Self::start_in(simulator, Disk::default(), Arc::new(VirtualClock::new(BEGIN))).await
    }

    /// A daemon in a world that exists already.
    pub(crate) async fn start_in(simulator: SimulatorHandle, disk: Disk, clock: Arc<VirtualClock>) -> Self {
        let environment = Environment::default();
        let simulate = Simulate { modems: simulator.modem_count() as u8, air_time: Duration::from_millis(100) };
        let mut config = Config::defaults(Some(simulate), &environment);
        config.listen.set_port(0);
        let world = World {
            clock: clock.clone(),
            random: Arc::new(SeededRandom::new(7)),
            storage: Storage::Memory(disk.clone(), [7; 32]),
            ..World::real()
        };
        let app = App::start(config, world.with_simulator(simulator.clone())).await.unwrap();
        Self { app, clock, simulator, disk, ids: AtomicU64::new(1) }
    }

    /// Takes a plain message in, for an hour.
    pub(crate) async fn accept(&self, to: &str, text: &str) -> MessageId {
        let new = self.message(to, text);
        self.app.store().accept(new, None).await.unwrap().value.id
    }

    /// A plain message to be taken in.
    pub(crate) fn message(&self, to: &str, text: &str) -> NewMessage {
        let now = self.clock.now();
        let n = self.ids.fetch_add(1, Ordering::Relaxed);
        let mut random = [0; 10];
        random[2..].copy_from_slice(&n.to_be_bytes());
        NewMessage {
            id: MessageId::new(now.wall, random),
            client: ME.client,
            to: Msisdn::parse(to).unwrap(),
            body: Body::Text(Secret::new(text)),
            parts: otpgate::sms::segment::segment(text, Default::default()).unwrap().len() as u8,
            priority: Priority::Normal,
            flash: false,
            send_at: None,
            deadline: now.after(Duration::from_secs(3600)),
            on_uncertain: OnUncertain::Leave,
            client_reference: None,
        }
    }

    /// The message as soon as it is final, or as it is after so long.
    pub(crate) async fn settled(&self, id: MessageId, at_most: Duration) -> Message {
        let until = tokio::time::Instant::now() + at_most;
        loop {
            let message = self.app.store().message(ME, id, Some(Wait { after: None, at_most })).await.unwrap();
            if message.is_final() || tokio::time::Instant::now() >= until {
                return message;
            }
        }
    }

    /// The texts of the copies that the network accepted for a number, oldest first.
    pub(crate) fn copies(&self, to: &str) -> Vec<String> {
        let messages = futures_lite_block(self.simulator.inbox(Some(to), Duration::ZERO));
        let mut texts: Vec<String> = messages.into_iter().map(|m| m.text).collect();
        texts.reverse();
        texts
    }

    pub(crate) async fn stop(self) {
        self.app.stop().await;
    }
}

/// Polls a future that is ready at once.
fn futures_lite_block<T>(future: impl Future<Output = T>) -> T {
    let mut future = std::pin::pin!(future);
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    loop {
        if let std::task::Poll::Ready(value) = future.as_mut().poll(&mut context) {
            return value;
        }
    }
}
