//! One client connection: requests in, responses out, in order.

use std::{io, sync::Arc};

use bytes::{Buf, Bytes, BytesMut};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::Notify,
};

use super::{api, context::BrokerContext};

/// Initial buffer capacity: enough for the requests of a device that sends small messages.
const INITIAL_BUFFER_SIZE: usize = 2_048;
/// Largest accepted request, as Kafka's `socket.request.max.bytes`.
const MAX_REQUEST_SIZE: usize = 100 << 20;
/// Bytes of a frame's length prefix.
const LENGTH_PREFIX_SIZE: usize = 4;

/// Answers requests until the client disconnects or violates Kafka's protocol.
pub async fn serve(shared: Arc<BrokerContext>, mut stream: TcpStream) {
    if let Err(error) = answer_requests(&shared, &mut stream).await {
        tracing::debug!(%error, "a connection to the built-in broker ended");
    }
}

async fn answer_requests(shared: &BrokerContext, stream: &mut TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut context = api::RequestContext {
        shared,
        // Metadata responses name the address under which the client reached the broker.
        address: stream.local_addr()?,
        waiter: Arc::new(Notify::new()),
    };
    let mut input = BytesMut::with_capacity(INITIAL_BUFFER_SIZE);
    let mut output = BytesMut::with_capacity(INITIAL_BUFFER_SIZE);
    while let Some(request) = next_frame(stream, &mut input).await? {
        output.clear();
        output.extend_from_slice(&[0; LENGTH_PREFIX_SIZE]);
        api::handle_request(&mut context, request, &mut output).await.map_err(io::Error::other)?;
        let Some(length) =
            output.len().checked_sub(LENGTH_PREFIX_SIZE).filter(|length| *length > 0)
        else {
            continue;
        };
        let length = u32::try_from(length).map_err(io::Error::other)?;
        output[..LENGTH_PREFIX_SIZE].copy_from_slice(&length.to_be_bytes());
        stream.write_all(&output).await?;
    }
    Ok(())
}

/// Reads the next request, without its length prefix; `None` when the client closed the connection.
async fn next_frame(stream: &mut TcpStream, input: &mut BytesMut) -> io::Result<Option<Bytes>> {
    loop {
        let missing = match frame_length(input)? {
            Some(length) if input.len() >= LENGTH_PREFIX_SIZE + length => {
                input.advance(LENGTH_PREFIX_SIZE);
                return Ok(Some(input.split_to(length).freeze()));
            }
            Some(length) => LENGTH_PREFIX_SIZE + length - input.len(),
            None => INITIAL_BUFFER_SIZE,
        };
        input.reserve(missing);
        if stream.read_buf(input).await? == 0 {
            return Ok(None);
        }
    }
}

fn frame_length(input: &[u8]) -> io::Result<Option<usize>> {
    let Some(length) = input.first_chunk::<LENGTH_PREFIX_SIZE>() else { return Ok(None) };
    let length = u32::from_be_bytes(*length) as usize;
    if !(api::MIN_REQUEST_SIZE..=MAX_REQUEST_SIZE).contains(&length) {
        return Err(io::Error::new(
            io::ErrorKind::InvalidData,
            format!("a request of {length} bytes"),
        ));
    }
    Ok(Some(length))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_that_is_no_request_is_refused() {
        assert!(frame_length(b"GET / HTTP/1.1\r\n").is_err());
        assert!(frame_length(&[0, 0, 0, 2, 0, 0]).is_err());
        assert_eq!(frame_length(&[0, 0, 0]).unwrap(), None);
        assert_eq!(frame_length(&[0, 0, 0, 20, 0]).unwrap(), Some(20));
    }
}
