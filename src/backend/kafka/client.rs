//! The client of the users and of the consumer: hubmark's own, or librdkafka.

use std::sync::{Arc, atomic::AtomicBool};

#[cfg(feature = "librdkafka")]
use super::librdkafka::{ClientConfigs, FleetState, RdkafkaConsumer, RdkafkaFleet};
use super::{
    control::cluster::Cluster,
    native::{FleetPlan, NativeConsumer, NativeFleet, loops, settings::NativeSettings},
    settings::{CLIENT, CONNECT_RATE, KafkaSettings, LIBRDKAFKA, LOOPS, NATIVE},
    target::KafkaTarget,
};
use crate::{
    backend::{BackendError, Batching, ClientNeeds, Consumer, Fleet, SendOutcomes},
    clock::Clock,
    plan::{Durability, Workload},
    units::Bytes,
    wire::DialSettings,
};

/// The client that a point's profile chooses, with its settings.
#[derive(Debug, Clone)]
pub(super) enum UserClient {
    /// hubmark's own.
    Native {
        /// Settings of producers and consumer.
        settings: NativeSettings,
        /// How users connect.
        dial: DialSettings,
        /// Event loops that share the users.
        loops: usize,
    },
    /// librdkafka.
    #[cfg(feature = "librdkafka")]
    Librdkafka(ClientConfigs),
}

/// What a fleet is opened for.
pub(super) struct FleetRequest {
    pub target: KafkaTarget,
    pub users: u32,
    pub batching: Batching,
    /// The topic's limit on the bytes of a batch.
    pub max_batch_bytes: Option<u64>,
    pub clock: Clock,
    pub outcomes: Arc<dyn SendOutcomes>,
}

impl UserClient {
    /// Returns the client of the profile's settings.
    ///
    /// # Errors
    /// This program was built without librdkafka.
    #[cfg_attr(
        feature = "librdkafka",
        expect(clippy::unnecessary_wraps, reason = "a build without librdkafka refuses it here")
    )]
    pub fn new(
        title: &str,
        settings: &KafkaSettings,
        durability: Durability,
        workload: &Workload,
    ) -> Result<Self, BackendError> {
        let payload = workload.payload();
        if settings.client == NATIVE {
            let per_second = Some(settings.connect_rate).filter(|rate| *rate > 0);
            return Ok(Self::Native {
                settings: NativeSettings::new(settings, durability, payload),
                dial: DialSettings { per_second, ..DialSettings::default() },
                loops: loops::count(settings.loops, workload),
            });
        }
        #[cfg(feature = "librdkafka")]
        {
            let _ = title;
            Ok(Self::Librdkafka(ClientConfigs::new(settings, durability, payload)))
        }
        #[cfg(not(feature = "librdkafka"))]
        {
            let reason = "this hubmark was built without librdkafka: build it with --features \
                          librdkafka, or choose client = \"native\"";
            Err(BackendError::setting(title, CLIENT.name, LIBRDKAFKA, reason))
        }
    }

    /// Returns an error for each setting that the client refuses.
    pub fn check(&self, title: &str) -> Vec<BackendError> {
        match self {
            Self::Native { settings, .. } => settings.check(title),
            #[cfg(feature = "librdkafka")]
            Self::Librdkafka(configs) => configs.check(title),
        }
    }

    /// Returns the client, its version and its settings in force, for the record.
    #[cfg_attr(
        not(feature = "librdkafka"),
        expect(clippy::unnecessary_wraps, reason = "librdkafka may not tell its settings")
    )]
    pub fn facts(
        &self,
        target: &KafkaTarget,
        max_batch_bytes: Option<u64>,
    ) -> Result<Vec<(String, String)>, BackendError> {
        let named = |name: &str| (CLIENT.name.to_owned(), name.to_owned());
        match self {
            Self::Native { settings, dial, loops } => {
                let _ = target;
                let mut facts = vec![named(NATIVE)];
                facts.extend(settings.effective(max_batch_bytes));
                let rate = dial.per_second.map_or_else(|| "no limit".into(), |n| n.to_string());
                facts.push((CONNECT_RATE.name.into(), rate));
                facts.push((LOOPS.name.into(), loops.to_string()));
                Ok(facts)
            }
            #[cfg(feature = "librdkafka")]
            Self::Librdkafka(configs) => {
                let version = rdkafka::util::get_rdkafka_version().1;
                let mut facts = vec![named(LIBRDKAFKA), ("librdkafka".to_owned(), version)];
                let in_force = configs.effective_settings(target, max_batch_bytes);
                facts.extend(in_force.map_err(|error| {
                    target.operation_error("reading the client's settings", error)
                })?);
                Ok(facts)
            }
        }
    }

    /// Connects all users; blocks. Ends early once `is_closing` is set.
    pub fn open_fleet(
        &self,
        request: FleetRequest,
        partitions: i32,
        cluster: &mut Cluster,
        is_closing: Arc<AtomicBool>,
    ) -> Result<Box<dyn Fleet>, BackendError> {
        let FleetRequest { target, users, batching, max_batch_bytes, clock, outcomes } = request;
        match self {
            Self::Native { settings, dial, loops } => {
                let _ = partitions;
                let settings = settings.producer(batching, users, max_batch_bytes);
                let (dial, loops) = (*dial, *loops);
                let plan = FleetPlan { target, settings, users, dial, loops, clock, outcomes };
                Ok(Box::new(NativeFleet::connect(plan, cluster, is_closing)?))
            }
            #[cfg(feature = "librdkafka")]
            Self::Librdkafka(configs) => {
                let config = configs.producer(&target, batching, users, max_batch_bytes);
                let state =
                    FleetState::new(clock, batching, configs.asks_for_acks(), outcomes, is_closing);
                Ok(Box::new(RdkafkaFleet::connect(&target, &config, users, partitions, state)?))
            }
        }
    }

    /// Connects a consumer; blocks.
    pub fn open_consumer(
        &self,
        target: &KafkaTarget,
        clock: Clock,
    ) -> Result<Box<dyn Consumer>, BackendError> {
        match self {
            Self::Native { settings, .. } => {
                Ok(Box::new(NativeConsumer::connect(target, settings.consumer(), clock)?))
            }
            #[cfg(feature = "librdkafka")]
            Self::Librdkafka(configs) => {
                let mut cluster = Cluster::new(target);
                let offsets = super::control::offsets::fetch_offsets(&mut cluster, &target.topic)
                    .and_then(|offsets| cluster.verify(target).map(|()| offsets))
                    .map_err(|last| target.operation_error("connecting the consumer", last))?;
                let config = configs.consumer(target);
                Ok(Box::new(RdkafkaConsumer::connect(target, &config, &offsets, clock)?))
            }
        }
    }
}

/// Resources that `users` users of the client with that name take on this machine.
pub(super) fn needs(client: &str, users: u32) -> ClientNeeds {
    let users = u64::from(users);
    if client == LIBRDKAFKA {
        // 3 threads, a socket and two pipes per client; 175 KiB per client were measured, the maximum of several
        // runs.
        let memory = Bytes(users * (175 << 10));
        return ClientNeeds { descriptors: 5 * users + 64, threads: 3 * users + 32, memory };
    }
    ClientNeeds { descriptors: users + 64, threads: 32, memory: Bytes(users * (4 << 10)) }
}
