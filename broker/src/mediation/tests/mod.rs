mod attacks;
mod callees;
mod calls;
mod crashes;
mod replays;
mod revoked;
mod sessions;
pub(crate) mod store;
pub(crate) mod world;
