mod attacks;
mod callees;
mod calls;
mod crashes;
mod revoked;
mod rewrap;
pub(crate) mod store;
pub(crate) mod world;
