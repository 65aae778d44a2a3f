//! Requests for the brokers of a cluster and the leaders of a topic's partitions.

use super::{
    answer::{Answer, Malformed},
    request::{begin, end, put_i32, put_string},
};

pub const KEY: i16 = 3;
/// Versions that this code speaks. 4 is the first that asks for no creation of topics; 9 is the first "flexible"
/// one.
pub const VERSIONS: (i16, i16) = (4, 8);

/// Writes a request for one topic, which must not be created by it.
pub fn write(frame: &mut Vec<u8>, version: i16, number: i32, topic: &str) {
    begin(frame, KEY, version, number);
    put_i32(frame, 1);
    put_string(frame, topic);
    frame.push(0);
    if version >= 8 {
        frame.extend_from_slice(&[0, 0]);
    }
    end(frame);
}

/// A broker of the cluster, as it wants to be reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broker {
    /// Its identity in the cluster.
    pub id: i32,
    /// Its host's name or address.
    pub host: String,
    /// Its port.
    pub port: u16,
}

/// What the cluster says of a topic.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TopicMetadata {
    /// Number of the request.
    pub number: i32,
    /// The cluster's identity, if it has one.
    pub cluster: Option<String>,
    /// The cluster's brokers.
    pub brokers: Vec<Broker>,
    /// Error code of the topic; `None` if the answer does not name it.
    pub error: Option<i16>,
    /// Leader of each partition, by the partition's number; `None` without one.
    pub leaders: Vec<Option<i32>>,
}

impl TopicMetadata {
    /// Reads a frame without its length field.
    pub fn read(frame: &[u8], version: i16, topic: &str) -> Result<Self, Malformed> {
        let mut answer = Answer(frame);
        let mut found = Self { number: answer.i32()?, ..Self::default() };
        answer.i32()?;
        for _ in 0..answer.count(12)? {
            let (id, host, port) = (answer.i32()?, answer.string()?.to_owned(), answer.i32()?);
            answer.nullable_string()?;
            let port = u16::try_from(port).map_err(|_| Malformed("a port is impossible"))?;
            found.brokers.push(Broker { id, host, port });
        }
        found.cluster = answer.nullable_string()?.map(str::to_owned);
        answer.i32()?;
        for _ in 0..answer.count(9)? {
            let error = answer.i16()?;
            let name = answer.string()?;
            answer.i8()?;
            let mut leaders = Vec::new();
            for _ in 0..answer.count(18)? {
                answer.i16()?;
                let (partition, leader) = (answer.i32()?, answer.i32()?);
                if version >= 7 {
                    answer.i32()?;
                }
                for _ in 0..if version >= 5 { 3 } else { 2 } {
                    let replicas = answer.count(4)?;
                    answer.take(4 * replicas)?;
                }
                leaders.push((partition, Some(leader).filter(|leader| *leader >= 0)));
            }
            if version >= 8 {
                answer.i32()?;
            }
            if name == topic {
                leaders.sort_unstable();
                if (0..).zip(&leaders).any(|(number, (partition, _))| number != *partition) {
                    return Err(Malformed("the numbers of a topic's partitions have gaps"));
                }
                found.error = Some(error);
                found.leaders = leaders.into_iter().map(|(_, leader)| leader).collect();
            }
        }
        Ok(found)
    }
}
