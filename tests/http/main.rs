//! The API in process: the router over the store in memory, on virtual time. No socket, no modem.

mod audit;
mod conformance;
mod errors;
mod events;
mod gateway;
mod inbound;
mod keys;
mod messages;
mod openapi;
mod ready;
mod simulator;
mod verifications;
