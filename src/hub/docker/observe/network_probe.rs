//! Measures the network path to a container that runs `serve.pl`.

use std::{io, net::SocketAddr, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
    time::{Instant, sleep, timeout},
};

/// Port on which the container answers.
pub const PROBE_PORT: u16 = 7001;
/// Time limit for one measurement.
pub const PROBE_TIMEOUT: Duration = Duration::from_secs(30);
/// Start of a transfer that is not measured: it fills the token bucket and the buffers.
const WARM_UP: Duration = Duration::from_millis(300);

/// Ends a measurement after [`PROBE_TIMEOUT`].
async fn limit_time<T>(measurement: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    timeout(PROBE_TIMEOUT, measurement)
        .await
        .unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}

async fn connect(address: SocketAddr, kind: u8) -> io::Result<TcpStream> {
    let mut stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    stream.write_all(&[kind]).await?;
    Ok(stream)
}

/// Waits until the container answers.
pub async fn wait_until_answering(address: SocketAddr) -> Result<(), String> {
    let began = Instant::now();
    while let Err(error) = measure_round_trips(address, 1, PROBE_TIMEOUT).await {
        if began.elapsed() > PROBE_TIMEOUT {
            return Err(format!("nothing answers at {address}: {error}"));
        }
        sleep(Duration::from_millis(20)).await;
    }
    Ok(())
}

/// Measures the bytes a second received from the container, over `length`.
pub async fn measure_receive_rate(address: SocketAddr, length: Duration) -> io::Result<f64> {
    limit_time(async {
        let mut stream = connect(address, b's').await?;
        let mut buffer = vec![0; 256 << 10];
        let began = Instant::now();
        let mut counted = (began, 0);
        let mut bytes = 0;
        while began.elapsed() < WARM_UP + length {
            match stream.read(&mut buffer).await? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                more => bytes += more,
            }
            if began.elapsed() < WARM_UP {
                counted = (Instant::now(), bytes);
            }
        }
        let (since, before) = counted;
        Ok((bytes - before) as f64 / since.elapsed().as_secs_f64())
    })
    .await
}

/// Measures the bytes a second that the container receives, on a link of about `rate`.
///
/// The amount sent is what the link carries in `length`; the container replies when it has all of
/// it.
pub async fn measure_send_rate(
    address: SocketAddr,
    rate: f64,
    length: Duration,
) -> io::Result<f64> {
    limit_time(async {
        let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
        let mut stream = socket.connect(address).await?;
        stream.write_all(b"r").await?;
        let mut left = (rate * length.as_secs_f64()).clamp(65_536.0, 1e9) as usize;
        let nothing = vec![0; 64 << 10];
        let began = Instant::now();
        while left > 0 {
            left -= stream.write(&nothing[..left.min(nothing.len())]).await?;
        }
        stream.shutdown().await?;
        let mut reply = String::new();
        stream.read_to_string(&mut reply).await?;
        let bytes: f64 = reply.trim().parse().map_err(io::Error::other)?;
        Ok(bytes / began.elapsed().as_secs_f64())
    })
    .await
}

/// Measures the seconds of consecutive round trips of a small message: `count` of them, or as many
/// as fit into `length`.
pub async fn measure_round_trips(
    address: SocketAddr,
    count: u32,
    length: Duration,
) -> io::Result<Vec<f64>> {
    limit_time(async {
        let mut stream = connect(address, b'e').await?;
        let mut message = [0; 64];
        let mut seconds = Vec::new();
        let started = Instant::now();
        for _ in 0..count {
            let began = Instant::now();
            if began - started > length {
                break;
            }
            stream.write_all(&message).await?;
            stream.read_exact(&mut message).await?;
            seconds.push(began.elapsed().as_secs_f64());
        }
        Ok(seconds)
    })
    .await
}
