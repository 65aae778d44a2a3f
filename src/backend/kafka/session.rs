//! A session: readiness by protocol, and everything that is done on a broker that answers.

use std::{
    sync::{Arc, mpsc},
    thread,
    time::{Duration, Instant},
};

use async_trait::async_trait;
use rdkafka::{
    admin::AdminClient,
    consumer::{BaseConsumer, Consumer as _},
    error::KafkaError,
    metadata::MetadataBroker,
    producer::BaseProducer,
    util::get_rdkafka_version,
};
use tokio::{net::TcpStream, time};

use super::{
    clients::Clients,
    consumer::KafkaConsumer,
    facts,
    fleet::KafkaFleet,
    notes::{Listener, Notes},
    place::{Place, reason},
    poller::Hall,
    topic::{self, Wanted},
};
use crate::{
    backend::{BackendError, Bundling, Consumer, Fleet, Reports, ServerFacts, Session},
    clock::Clock,
};

/// Pause between two attempts to reach a server that starts.
const PAUSE: Duration = Duration::from_millis(10);
/// Longest wait for the refusal of an account.
const LOGIN: Duration = Duration::from_secs(3);
/// Longest wait for one answer of a server that starts.
const ANSWER: Duration = Duration::from_millis(500);

/// A broker that answers.
pub(super) struct KafkaSession {
    pub place: Place,
    pub clients: Clients,
    pub wanted: Wanted,
    /// What the server is, where it cannot say so itself.
    pub version: String,
    pub clock: Clock,
    /// Makes topics, reads settings back. Neither fleet nor consumer use it.
    pub control: Arc<AdminClient<Listener>>,
    /// The broker's number in its cluster.
    pub broker_id: i32,
    /// The cluster's identity, where it has one: by it the broker is known again.
    pub cluster: Option<String>,
}

impl Drop for KafkaSession {
    /// Ending, the client waits for a thread of its own, which waits by the system's clock: where
    /// that was set back by an hour, for an hour. Nobody here waits with it.
    fn drop(&mut self) {
        let control = Arc::clone(&self.control);
        let ending = thread::Builder::new().name("kafka-ending".into()).spawn(move || {
            while Arc::strong_count(&control) > 1 {
                thread::sleep(PAUSE);
            }
            drop(control);
        });
        if let Err(error) = ending {
            tracing::debug!(target: "hubmark::kafka", "the client ends here: {error}");
        }
    }
}

/// A broker that has answered: the client that asked, the broker's number and its cluster.
pub(super) struct Answered {
    pub control: Arc<AdminClient<Listener>>,
    pub broker_id: i32,
    pub cluster: Option<String>,
}

/// Waits until the broker lists itself.
///
/// The port is tried by itself first: librdkafka would double its pauses meanwhile.
pub(super) async fn ready(place: &Place, patience: Duration) -> Result<Answered, BackendError> {
    let started = Instant::now();
    let not_ready = |last: String| BackendError::NotReady {
        server: place.role.clone(),
        address: place.broker.to_string(),
        waited: started.elapsed(),
        last,
    };
    loop {
        let last = match time::timeout(ANSWER, TcpStream::connect(place.broker)).await {
            Ok(Ok(_)) => break,
            Ok(Err(error)) => error.to_string(),
            Err(_) => "no answer to a connection".to_owned(),
        };
        if started.elapsed() > patience {
            return Err(not_ready(last));
        }
        time::sleep(PAUSE).await;
    }
    let control: AdminClient<_> = Clients::control(place)
        .create_with_context(Listener(Notes::to_log("control")))
        .map_err(|error| place.failed("making a client", reason(&error)))?;
    let control = Arc::new(control);
    loop {
        let asked = Arc::clone(&control);
        let brokers = place
            .blocking(move || {
                let metadata = asked.inner().fetch_metadata(None, ANSWER)?;
                let id = metadata.brokers().first().map(MetadataBroker::id);
                // Known since the answer above.
                Ok::<_, KafkaError>(id.map(|id| (id, asked.inner().fetch_cluster_id(ANSWER))))
            })
            .await?;
        let last = match brokers {
            Ok(Some((broker_id, cluster))) => return Ok(Answered { control, broker_id, cluster }),
            Ok(None) => "it lists no broker yet".to_owned(),
            Err(error) => {
                if let Some(refused) = refusal(place).await? {
                    return Err(refused);
                }
                reason(&error)
            }
        };
        if started.elapsed() > patience {
            return Err(not_ready(last));
        }
        time::sleep(PAUSE).await;
    }
}

/// Whether a server that asks who we are does not let us in: librdkafka tells that only among its
/// events, and goes on trying.
async fn refusal(place: &Place) -> Result<Option<BackendError>, BackendError> {
    let Some(account) = &place.account else { return Ok(None) };
    let config = Clients::control(place);
    let asked = place.blocking(move || {
        let (tell, told) = mpsc::channel();
        let notes = Notes::new(move |text| drop(tell.send(text)));
        let client: BaseProducer<Listener> = config.create_with_context(Listener(notes)).ok()?;
        let started = Instant::now();
        while started.elapsed() < LOGIN {
            client.poll(ANSWER);
            let refused = |text: &String| text.contains("uthentication");
            if let Some(text) = told.try_iter().find(refused) {
                return Some(text);
            }
        }
        None
    });
    let refused = |reason| BackendError::Refused {
        server: place.role.clone(),
        address: place.broker.to_string(),
        user: account.user.clone(),
        reason,
    };
    Ok(asked.await?.map(refused))
}

#[async_trait]
impl Session for KafkaSession {
    async fn facts(&self) -> Result<ServerFacts, BackendError> {
        let settings = match facts::settings_in_force(
            &self.control,
            self.broker_id,
            &self.place.topic,
        )
        .await
        {
            Ok(settings) => settings,
            // A server that speaks only part of the protocol is still to be measured.
            Err(error) if facts::unsupported(&error) => Vec::new(),
            Err(error) => {
                return Err(self.place.failed("reading the settings back", reason(&error)));
            }
        };
        let mut client = vec![("librdkafka".to_owned(), get_rdkafka_version().1)];
        let in_force = self.clients.in_force(&self.place);
        client.extend(
            in_force.map_err(|error| self.place.failed("reading the client's settings", error))?,
        );
        Ok(ServerFacts { version: self.version.clone(), settings, client })
    }

    async fn reset(&self) -> Result<(), BackendError> {
        topic::make_anew(&self.control, &self.place, &self.wanted).await
    }

    async fn sweep(&self) -> Result<Vec<String>, BackendError> {
        if self.place.own {
            return Ok(Vec::new());
        }
        topic::sweep(&self.control, &self.place).await
    }

    async fn leave(&self) -> Result<(), BackendError> {
        if self.place.own {
            return Ok(());
        }
        topic::remove(&self.control, &self.place).await
    }

    async fn fleet(
        &self,
        users: u32,
        bundling: Bundling,
        reports: Arc<dyn Reports>,
    ) -> Result<Box<dyn Fleet>, BackendError> {
        let place = self.place.clone();
        let config = self.clients.producer(&place, bundling, users);
        let partitions = self.wanted.partitions;
        let hall = Hall::new(self.clock, bundling, reports);
        let abandoned = Abandoned(Some(Arc::clone(&hall)));
        let connect = move || KafkaFleet::connect(&place, &config, users, partitions, hall);
        let fleet = self.place.blocking(connect).await??;
        abandoned.not_so();
        Ok(Box::new(fleet))
    }

    async fn consumer(&self, _bundling: Bundling) -> Result<Box<dyn Consumer>, BackendError> {
        let place = self.place.clone();
        let (config, clock) = (self.clients.consumer(&place), self.clock);
        let cluster = self.cluster.clone();
        let connect = move || KafkaConsumer::connect(&place, &config, clock, cluster.as_deref());
        Ok(Box::new(self.place.blocking(connect).await??))
    }

    async fn count(&self) -> Result<u64, BackendError> {
        let (place, cluster) = (self.place.clone(), self.cluster.clone());
        self.place.blocking(move || count(&place, cluster.as_deref())).await?
    }
}

/// Tells the threads that connect users when nobody waits for them any more.
struct Abandoned(Option<Arc<Hall>>);

impl Abandoned {
    fn not_so(mut self) {
        self.0 = None;
    }
}

impl Drop for Abandoned {
    fn drop(&mut self) {
        if let Some(hall) = &self.0 {
            hall.close();
        }
    }
}

/// Messages that the topic holds by its offsets, asked over a connection of its own. Blocks.
fn count(place: &Place, cluster: Option<&str>) -> Result<u64, BackendError> {
    let failed = |last: String| place.failed("counting the messages", last);
    let client: BaseConsumer<_> = Clients::control(place)
        .create_with_context(Listener(Notes::to_log("count")))
        .map_err(|error| failed(reason(&error)))?;
    let held = topic::held(client.client(), &place.topic).map_err(failed)?;
    Place::same(client.client(), cluster).map_err(failed)?;
    Ok(held.iter().map(|partition| (partition.high - partition.low).unsigned_abs()).sum())
}
