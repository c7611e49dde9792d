//! The other end of the wire: virtual modems and the virtual network behind them.
//!
//! Written from the specifications (V.250, 3GPP TS 27.005, 27.007, 23.040, 24.011) and sharing no code with the rooms
//! that it is used to test. All but `driver`, `pty` and `standalone` is pure.

pub mod alphabet;
pub mod driver;
pub mod faults;
#[doc(hidden)]
pub mod fuzzing;
pub mod inbox;
pub mod modem;
pub mod network;
pub mod pdu;
pub mod pty;
pub mod standalone;
mod timers;

use crate::domain::time::Mono;
use faults::Faults;
use modem::{Identity, ModemOptions, VirtualModem};
use network::{Copy, Network, NetworkOptions, NetworkOutput};
use std::collections::VecDeque;

/// Virtual modems on one virtual network, as one machine.
///
/// After each input drain [`Simulator::poll_output`], and come back at [`Simulator::next_timeout`].
pub struct Simulator {
    modems: Vec<VirtualModem>,
    network: Network,
    output: VecDeque<(usize, Output)>,
}

/// What the host of a modem does to it.
#[derive(Clone, Copy, Debug)]
pub enum ModemInput<'a> {
    /// Opens the port.
    Opened,
    /// Writes bytes.
    Bytes(&'a [u8]),
    /// Switches its power off and on.
    PowerCycle,
    /// Resets its USB device.
    UsbReset,
    /// Calls it.
    Ring,
    /// Puts another SIM card in, the one with this number, without a word from the modem. Its phone number stays.
    OtherCard(usize),
}

/// What comes out, with the modem's index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Bytes for the host.
    Bytes(Vec<u8>),
    /// The port is gone.
    PortLost,
    /// The port can be opened again.
    PortBack,
    /// The network accepted a copy of a message of this modem.
    Accepted(Copy),
}

impl Simulator {
    /// `count` modems, each with an identity of its own. `seed` decides when faults of a given probability strike.
    pub fn new(count: usize, modem: &ModemOptions, network: NetworkOptions, seed: u64) -> Self {
        let modem = ModemOptions { epoch: network.epoch, ..modem.clone() };
        let make = |i: usize| VirtualModem::new(Identity::numbered(i), modem.clone(), seed.wrapping_add(i as u64));
        let modems: Vec<VirtualModem> = (0..count).map(make).collect();
        let subscribers = modems.iter().map(|m| (m.identity().imei.clone(), m.identity().number.clone()));
        Self { network: Network::new(network, subscribers.collect::<Vec<_>>()), modems, output: VecDeque::new() }
    }

    /// The modems.
    pub fn modems(&self) -> &[VirtualModem] {
        &self.modems
    }

    /// The network.
    pub fn network(&self) -> &Network {
        &self.network
    }

    /// The host of a modem does something. An index that no modem has is ignored.
    pub fn handle_input(&mut self, now: Mono, index: usize, input: ModemInput<'_>) {
        self.handle_timeout(now);
        self.tell(
            now,
            index,
            match input {
                ModemInput::Opened => modem::Input::Opened,
                ModemInput::Bytes(bytes) => modem::Input::Bytes(bytes),
                ModemInput::PowerCycle => modem::Input::PowerCycle,
                ModemInput::UsbReset => modem::Input::UsbReset,
                ModemInput::Ring => modem::Input::Ring,
                ModemInput::OtherCard(number) => modem::Input::OtherCard(number),
            },
        );
        self.settle(now);
        self.modems.iter_mut().for_each(|modem| modem.leaves(now));
    }

    /// Somebody sends a message to the modem whose card has the number `to`; if `to` is empty, to the first. Returns its
    /// index, if there is one.
    pub fn inbound(&mut self, now: Mono, from: &str, to: &str, text: &str) -> Option<usize> {
        self.handle_timeout(now);
        let index = self.network.inbound(now, from, to, text);
        self.settle(now);
        index
    }

    /// Sets what goes wrong from now on: with one modem, or with all.
    pub fn set_faults(&mut self, now: Mono, index: Option<usize>, faults: &Faults) {
        for (i, modem) in self.modems.iter_mut().enumerate() {
            if index.is_none_or(|index| index == i) {
                modem.set_faults(now, faults.clone());
            }
        }
    }

    /// Empties the inbox.
    pub fn clear_inbox(&mut self) {
        self.network.clear_inbox();
    }

    /// Back to the beginning: no faults, counts at nought, an empty inbox. Settings of the modems stay.
    pub fn reset(&mut self, now: Mono) {
        self.network.reset();
        self.set_faults(now, None, &Faults::default());
        self.modems.iter_mut().for_each(VirtualModem::reset_counts);
    }

    /// Lets happen what is due.
    pub fn handle_timeout(&mut self, now: Mono) {
        // In order of time, so that a late call gives the same as many timely ones.
        while let Some(due) = self.next_timeout().filter(|due| *due <= now) {
            for index in 0..self.modems.len() {
                if self.modems[index].next_timeout().is_some_and(|t| t <= due) {
                    self.tell(due, index, modem::Input::Timeout);
                }
            }
            self.settle(due);
        }
        self.modems.iter_mut().for_each(|modem| modem.leaves(now));
    }

    /// What comes out next. To be drained after each call.
    pub fn poll_output(&mut self) -> Option<(usize, Output)> {
        self.output.pop_front()
    }

    /// When [`Simulator::handle_timeout`] is wanted at the latest.
    pub fn next_timeout(&self) -> Option<Mono> {
        self.modems.iter().filter_map(VirtualModem::next_timeout).chain(self.network.next_timeout()).min()
    }

    /// Gives one modem one input and passes on what it says.
    fn tell(&mut self, now: Mono, index: usize, input: modem::Input<'_>) {
        let Some(modem) = self.modems.get_mut(index) else { return };
        modem.handle_input(now, input);
        while let Some(output) = modem.poll_output() {
            match output {
                modem::Output::Bytes(bytes) => self.output.push_back((index, Output::Bytes(bytes))),
                modem::Output::Submit(submission) => self.network.submit(now, index, submission),
                modem::Output::Undeliverable(tpdu) => self.network.undeliverable(index, tpdu),
                modem::Output::Reachable => self.network.reachable(index),
                modem::Output::PortLost => self.output.push_back((index, Output::PortLost)),
                modem::Output::PortBack => self.output.push_back((index, Output::PortBack)),
            }
        }
    }

    /// Passes on what the network says, until nobody has anything to say at this time.
    fn settle(&mut self, now: Mono) {
        loop {
            self.network.handle_timeout(now);
            match self.network.poll_output() {
                None => return,
                Some(NetworkOutput::Down(index, downlink)) => self.tell(now, index, modem::Input::Network(&downlink)),
                Some(NetworkOutput::Accepted(index, copy)) => self.output.push_back((index, Output::Accepted(copy))),
            }
        }
    }
}
