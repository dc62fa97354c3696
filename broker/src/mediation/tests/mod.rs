mod attacks;
mod callees;
mod calls;
mod crashes;
mod replays;
mod revoked;
pub(crate) mod store;
pub(crate) mod world;
