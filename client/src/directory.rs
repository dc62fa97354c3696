//! Who other instances are: what the domain stated of them, and what this agent has seen.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Mutex, MutexGuard, PoisonError},
};

use countersign_protocol::{
    digest::Digest, identity::InstanceStatement, key::PublicKey, name::InstanceId, payload::Payload,
};
use countersign_wire::v1::{self, identity_client::IdentityClient};

use crate::{
    agent::Agent,
    error::{About, Error, deceived},
    limits::DIRECTORY_MAX,
};

/// What never changes in an instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Known {
    pub(crate) key: PublicKey,
    pub(crate) configuration: Digest,
}

/// The instances that this agent has asked for, the latest so many.
#[derive(Debug, Default)]
pub(crate) struct Directory(Mutex<Pages>);

#[derive(Debug, Default)]
struct Pages {
    known: BTreeMap<InstanceId, Known>,
    /// In the order in which they came.
    order: VecDeque<InstanceId>,
}

impl Directory {
    fn lock(&self) -> MutexGuard<'_, Pages> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Remembers an instance. The domain cannot give it another key or configuration later.
    fn learn(&self, statement: &InstanceStatement) -> Result<Known, Error> {
        let told = Known { key: statement.key, configuration: statement.configuration };
        let mut pages = self.lock();
        if let Some(known) = pages.known.get(&statement.instance) {
            let same = *known == told;
            let why = || format!("{} had another key or configuration before", statement.instance);
            return if same { Ok(told) } else { Err(deceived(About::Instance, why())) };
        }
        if pages.order.len() >= DIRECTORY_MAX
            && let Some(oldest) = pages.order.pop_front()
        {
            pages.known.remove(&oldest);
        }
        pages.order.push_back(statement.instance.clone());
        pages.known.insert(statement.instance.clone(), told);
        Ok(told)
    }
}

impl Agent {
    /// The domain's record of an instance. That the named key is the instance's is the domain's
    /// word, which its ledger holds it to.
    pub async fn lookup(&self, instance: &InstanceId) -> Result<InstanceStatement, Error> {
        let request = v1::GetInstanceRequest {
            trust_domain: self.domain().to_string(),
            instance: instance.to_string(),
        };
        let reply = self.call("look an instance up", request, async |channel, request| {
            IdentityClient::new(channel).get_instance(request).await
        });
        let reply = reply.await?.instance;
        let reply = reply.ok_or_else(|| deceived(About::Answer, "it has no instance"))?;
        let statement = self.read_statement(&reply)?;
        if statement.instance != *instance {
            let why = format!("it is about {}, not about {instance}", statement.instance);
            return Err(deceived(About::Instance, why));
        }
        Ok(statement)
    }

    /// Every instance of the domain, with its standing: `live`, `revoked` or `forked`. Admins only.
    pub async fn instances(&self) -> Result<Vec<(InstanceStatement, String)>, Error> {
        let pages = self.pages("list the instances", async |page_token| {
            let request = v1::ListInstancesRequest {
                trust_domain: self.domain().to_string(),
                page_size: 0,
                page_token,
            };
            let reply = self.call("list the instances", request, async |channel, request| {
                IdentityClient::new(channel).list_instances(request).await
            });
            let reply = reply.await?;
            Ok((reply.instances, reply.next_page_token))
        });
        let read = |it: v1::Instance| Ok((self.read_statement(&it)?, it.standing));
        pages.await?.into_iter().map(read).collect()
    }

    /// The key and configuration of an instance, asked for once.
    pub(crate) async fn known(&self, instance: &InstanceId) -> Result<Known, Error> {
        if let Some(known) = self.inner.directory.lock().known.get(instance) {
            return Ok(*known);
        }
        let statement = self.lookup(instance).await?;
        Ok(Known { key: statement.key, configuration: statement.configuration })
    }

    fn read_statement(&self, told: &v1::Instance) -> Result<InstanceStatement, Error> {
        let statement = InstanceStatement::from_bytes(&told.statement);
        let statement = statement.map_err(|error| deceived(About::Instance, error))?;
        if statement.instance.principal().domain() != *self.domain() {
            let why = format!("{} is of another trust domain", statement.instance);
            return Err(deceived(About::Instance, why));
        }
        // Of itself, an instance knows better.
        if statement.instance == *self.instance() && statement.key != self.public_key() {
            return Err(deceived(About::Instance, "it gives this instance another key"));
        }
        self.inner.directory.learn(&statement)?;
        Ok(statement)
    }
}

#[cfg(test)]
mod tests {
    use countersign_protocol::{digest::SpkiHash, key::SigningKey, time::Timestamp};

    use super::*;

    fn statement(number: usize) -> InstanceStatement {
        let principal = "spiffe://acme.example/agent/planner";
        InstanceStatement {
            instance: format!("{principal}/i/01900000-0000-7000-8000-{number:012}").parse().unwrap(),
            key: SigningKey::from_seed(&[1; 32]).public(),
            spki: SpkiHash::from_bytes([1; 32]),
            configuration: Digest::of(b"model, prompt, tools"),
            attestor: "join_token".parse().unwrap(),
            evidence: Digest::of(b"secret"),
            generation: 1,
            expires: Timestamp::new(1_800_000_000_000).unwrap(),
        }
    }

    #[test]
    fn the_oldest_instance_makes_room() {
        let directory = Directory::default();
        let knows = |number: usize| directory.lock().known.contains_key(&statement(number).instance);
        for number in 0..DIRECTORY_MAX {
            directory.learn(&statement(number)).unwrap();
        }
        assert!(knows(0) && knows(DIRECTORY_MAX - 1));
        directory.learn(&statement(1)).unwrap();
        assert!(knows(0), "one that is known takes no room");
        directory.learn(&statement(DIRECTORY_MAX)).unwrap();
        assert!(!knows(0) && knows(1) && knows(DIRECTORY_MAX));
        let pages = directory.lock();
        assert_eq!((pages.known.len(), pages.order.len()), (DIRECTORY_MAX, DIRECTORY_MAX));
    }
}
