//! Where the brokers of the cluster are, as they last reported it.

use std::{
    collections::{BTreeMap, HashMap},
    net::{IpAddr, SocketAddr},
};

use parking_lot::Mutex;

use crate::backend::kafka::{codec::metadata::Broker, control::cluster::resolve};

/// Addresses of brokers, shared by all users.
#[derive(Debug, Default)]
pub struct AddressBook(Mutex<Entries>);

#[derive(Debug, Default)]
struct Entries {
    brokers: BTreeMap<i32, SocketAddr>,
    resolved: HashMap<(String, u16), SocketAddr>,
}

/// Looks up a host. A fuzzer's hosts are not looked up: each name would be a request to the network.
fn look_up(host: &str, port: u16) -> Option<SocketAddr> {
    if let Ok(address) = host.parse::<IpAddr>() {
        return Some((address, port).into());
    }
    if cfg!(fuzzing) { None } else { resolve(&(host, port)).ok()?.first().copied() }
}

impl AddressBook {
    /// Enters the address of a broker.
    pub fn insert(&self, id: i32, address: SocketAddr) {
        self.0.lock().brokers.insert(id, address);
    }

    /// Address of a broker.
    pub fn get(&self, id: i32) -> Option<SocketAddr> {
        self.0.lock().brokers.get(&id).copied()
    }

    /// Enters the brokers that an answer names. A host's name is looked up once, the first time.
    pub fn learn(&self, brokers: &[Broker]) {
        let mut entries = self.0.lock();
        for broker in brokers {
            let key = (broker.host.clone(), broker.port);
            let known = entries.resolved.get(&key).copied();
            let address = known.or_else(|| look_up(&key.0, key.1));
            let Some(address) = address else { continue };
            entries.resolved.insert(key, address);
            entries.brokers.insert(broker.id, address);
        }
    }

    /// The broker to try after that one, by identity: any of them can say where a leader is.
    pub fn after(&self, id: i32) -> Option<(i32, SocketAddr)> {
        let entries = self.0.lock();
        let next = entries.brokers.range(id + 1..).next().or_else(|| entries.brokers.iter().next());
        next.map(|(id, address)| (*id, *address))
    }
}
