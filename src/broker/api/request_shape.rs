//! Shapes of the supported requests, in the supported versions.

use kafka_protocol::messages::ApiKey;

use crate::layout::message::{Field, MessageShape};

const PRODUCE: MessageShape = MessageShape {
    flexible_from: 9,
    fields: &[
        Field::text(),
        Field::fixed(6),
        Field::structs(&[Field::text(), Field::structs(&[Field::fixed(4), Field::blob()])]),
    ],
};

const FETCH: MessageShape = MessageShape {
    flexible_from: 12,
    fields: &[
        Field::fixed(17),
        Field::fixed(8).since(7),
        Field::structs(&[
            Field::text(),
            // Partitions: number, leader epoch, offset, last epoch, start of the log, limit.
            Field::structs(&[
                Field::fixed(4),
                Field::fixed(4).since(9),
                Field::fixed(8),
                Field::fixed(4).since(12),
                Field::fixed(8).since(5),
                Field::fixed(4),
            ]),
        ]),
        Field::structs(&[Field::text(), Field::numbers(4)]).since(7),
        Field::text().since(11),
        // The cluster.
        Field::text().tagged(0),
    ],
};

const LIST_OFFSETS: MessageShape = MessageShape {
    flexible_from: 6,
    fields: &[
        Field::fixed(4),
        Field::fixed(1).since(2),
        Field::structs(&[
            Field::text(),
            Field::structs(&[Field::fixed(4), Field::fixed(4).since(4), Field::fixed(8)]),
        ]),
    ],
};

const METADATA: MessageShape = MessageShape {
    flexible_from: 9,
    fields: &[Field::structs(&[Field::text()]), Field::fixed(1).since(4), Field::fixed(2).since(8)],
};

const FIND_COORDINATOR: MessageShape =
    MessageShape { flexible_from: 3, fields: &[Field::text(), Field::fixed(1).since(1)] };

const CREATE_TOPICS: MessageShape = MessageShape {
    flexible_from: 5,
    fields: &[
        Field::structs(&[
            Field::text(),
            Field::fixed(6),
            // Assignments of partitions to brokers.
            Field::structs(&[Field::fixed(4), Field::numbers(4)]),
            // Settings.
            Field::structs(&[Field::text(), Field::text()]),
        ]),
        Field::fixed(5),
    ],
};

const DELETE_TOPICS: MessageShape =
    MessageShape { flexible_from: 4, fields: &[Field::texts(), Field::fixed(4)] };

const INIT_PRODUCER_ID: MessageShape = MessageShape {
    flexible_from: 2,
    fields: &[Field::text(), Field::fixed(4), Field::fixed(10).since(3)],
};

const DESCRIBE_CONFIGS: MessageShape = MessageShape {
    flexible_from: 4,
    fields: &[
        Field::structs(&[Field::fixed(1), Field::text(), Field::texts()]),
        Field::fixed(1),
        Field::fixed(1).since(3),
    ],
};

/// Returns the shape of a supported request whose content matters.
pub fn request_shape(key: ApiKey) -> Option<&'static MessageShape> {
    Some(match key {
        ApiKey::Produce => &PRODUCE,
        ApiKey::Fetch => &FETCH,
        ApiKey::ListOffsets => &LIST_OFFSETS,
        ApiKey::Metadata => &METADATA,
        ApiKey::FindCoordinator => &FIND_COORDINATOR,
        ApiKey::CreateTopics => &CREATE_TOPICS,
        ApiKey::DeleteTopics => &DELETE_TOPICS,
        ApiKey::InitProducerId => &INIT_PRODUCER_ID,
        ApiKey::DescribeConfigs => &DESCRIBE_CONFIGS,
        _ => return None,
    })
}
