//! The API in process: the router over the store in memory, on virtual time. No socket, no modem.

mod audit;
mod conformance;
mod errors;
mod events;
mod gateway;
mod guard;
mod inbound;
mod keys;
mod messages;
mod modems;
mod myotp;
mod openapi;
mod ready;
mod simulator;
mod texts;
mod verifications;
mod webhooks;
