//! What the tests need: a broker in a directory of its own, and processes that join it.

mod agent;
mod broker;
mod story;

pub(crate) use agent::{Agent, Newcomer, reason};
pub(crate) use broker::{DOMAIN, Setting, TestBroker, principal};
pub(crate) use story::{Story, TRACEPARENT, TRACESTATE, rights};
