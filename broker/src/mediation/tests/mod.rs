mod attacks;
mod callees;
mod calls;
mod crashes;
mod revoked;
pub(crate) mod store;
pub(crate) mod world;
