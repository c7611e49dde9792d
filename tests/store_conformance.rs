//! What any store must do, in the domain's words: one suite, run on the store in memory and on the store on disk.
//!
//! A case sees [`Store`](otpgate::store::Store) and nothing behind it. What only a disk in memory can play (a sync that
//! fails, a batch that is torn) stands in `store/torn.rs`; random lives under crashes in `store/random.rs`.

mod store;
