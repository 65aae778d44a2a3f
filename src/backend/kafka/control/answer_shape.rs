//! Shapes of the answers that `kafka-protocol` decodes, in the versions that hubmark asks for.

use kafka_protocol::messages::ApiKey;

use crate::layout::message::{Field, MessageShape};

/// No version of an answer is flexible, or none that hubmark asks for.
const NEVER: i16 = i16::MAX;

const API_VERSIONS: MessageShape = MessageShape {
    flexible_from: 3,
    fields: &[Field::fixed(2), Field::structs(&[Field::fixed(6)]), Field::fixed(4).since(1)],
};

const SASL_HANDSHAKE: MessageShape =
    MessageShape { flexible_from: NEVER, fields: &[Field::fixed(2), Field::texts()] };

const SASL_AUTHENTICATE: MessageShape = MessageShape {
    flexible_from: 2,
    fields: &[Field::fixed(2), Field::text(), Field::blob(), Field::fixed(8).since(1)],
};

const METADATA: MessageShape = MessageShape {
    flexible_from: 9,
    fields: &[
        Field::fixed(4).since(3),
        // Brokers: identity, host, port, rack.
        Field::structs(&[Field::fixed(4), Field::text(), Field::fixed(4), Field::text().since(1)]),
        Field::text().since(2),
        Field::fixed(4).since(1),
        // Topics: error, name, whether internal, partitions, allowed operations.
        Field::structs(&[
            Field::fixed(2),
            Field::text(),
            Field::fixed(1).since(1),
            // Partitions: error, number, leader, epoch, three lists of brokers.
            Field::structs(&[
                Field::fixed(10),
                Field::fixed(4).since(7),
                Field::numbers(4),
                Field::numbers(4),
                Field::numbers(4).since(5),
            ]),
            Field::fixed(4).since(8),
        ]),
        Field::fixed(4).since(8),
    ],
};

const LIST_OFFSETS: MessageShape = MessageShape {
    flexible_from: 6,
    fields: &[
        Field::fixed(4).since(2),
        Field::structs(&[
            Field::text(),
            Field::structs(&[Field::fixed(22), Field::fixed(4).since(4)]),
        ]),
    ],
};

const CREATE_TOPICS: MessageShape = MessageShape {
    flexible_from: 5,
    fields: &[
        Field::fixed(4),
        Field::structs(&[
            Field::text(),
            Field::fixed(2),
            Field::text(),
            Field::fixed(6).since(5),
            // Settings: name, value, read-only, source, sensitive.
            Field::structs(&[Field::text(), Field::text(), Field::fixed(3)]).since(5),
            // Why there are no settings.
            Field::fixed(2).tagged(0),
        ]),
    ],
};

const DELETE_TOPICS: MessageShape = MessageShape {
    flexible_from: 4,
    fields: &[
        Field::fixed(4),
        Field::structs(&[Field::text(), Field::fixed(2), Field::text().since(5)]),
    ],
};

const INIT_PRODUCER_ID: MessageShape =
    MessageShape { flexible_from: 2, fields: &[Field::fixed(16)] };

const DESCRIBE_CONFIGS: MessageShape = MessageShape {
    flexible_from: 4,
    fields: &[
        Field::fixed(4),
        Field::structs(&[
            Field::fixed(2),
            Field::text(),
            Field::fixed(1),
            Field::text(),
            // Settings: name, value, read-only, source, sensitive, synonyms, type, documentation.
            Field::structs(&[
                Field::text(),
                Field::text(),
                Field::fixed(3),
                Field::structs(&[Field::text(), Field::text(), Field::fixed(1)]),
                Field::fixed(1).since(3),
                Field::text().since(3),
            ]),
        ]),
    ],
};

/// Returns the shape of answers to requests of kind `key`, and the latest version for which it is right.
pub fn answer_shape(key: ApiKey) -> Option<(&'static MessageShape, i16)> {
    Some(match key {
        ApiKey::ApiVersions => (&API_VERSIONS, 2),
        ApiKey::SaslHandshake => (&SASL_HANDSHAKE, 1),
        ApiKey::SaslAuthenticate => (&SASL_AUTHENTICATE, 2),
        ApiKey::Metadata => (&METADATA, 9),
        ApiKey::ListOffsets => (&LIST_OFFSETS, 7),
        ApiKey::CreateTopics => (&CREATE_TOPICS, 6),
        ApiKey::DeleteTopics => (&DELETE_TOPICS, 5),
        ApiKey::InitProducerId => (&INIT_PRODUCER_ID, 4),
        ApiKey::DescribeConfigs => (&DESCRIBE_CONFIGS, 4),
        _ => return None,
    })
}
