//! Names and addresses, asked of one server.

use std::io::{Error, Result};
use std::net::Ipv4Addr;
use std::time::Duration;

use domain::base::iana::Rcode;
use domain::base::{Message, MessageBuilder, Name, Rtype};
use domain::rdata::{A, Ptr};
use fmc_provision::verify::Seen;
use tokio::net::UdpSocket;

const PORT: u16 = 53;
/// Datagrams get lost: a question is asked again.
const AGAIN: Duration = Duration::from_millis(700);

pub(super) async fn look(server: Ipv4Addr, name: &str, patience: Duration) -> Seen {
    match super::within(patience, ask(server, name, Rtype::A)).await.and_then(|answer| addresses(&answer)) {
        Ok(addresses) => Seen::Addresses(addresses),
        Err(why) => Seen::Failed(why),
    }
}

pub(super) async fn look_back(server: Ipv4Addr, address: Ipv4Addr, patience: Duration) -> Seen {
    let [a, b, c, d] = address.octets();
    let name = format!("{d}.{c}.{b}.{a}.in-addr.arpa");
    match super::within(patience, ask(server, &name, Rtype::PTR)).await.and_then(|answer| names(&answer)) {
        Ok(names) => Seen::Names(names),
        Err(why) => Seen::Failed(why),
    }
}

async fn ask(server: Ipv4Addr, name: &str, kind: Rtype) -> Result<Message<Vec<u8>>> {
    let question = question(name, kind)?;
    let socket = UdpSocket::bind(super::ANY).await?;
    socket.connect((server, PORT)).await?;
    let mut packet = [0; 1232];
    loop {
        socket.send(question.as_slice()).await?;
        let Ok(length) = tokio::time::timeout(AGAIN, socket.recv(&mut packet)).await else { continue };
        if let Ok(answer) = Message::from_octets(packet[..length?].to_vec())
            && answer.is_answer(&question)
        {
            return Ok(answer);
        }
    }
}

fn question(name: &str, kind: Rtype) -> Result<Message<Vec<u8>>> {
    let name: Name<Vec<u8>> = name.parse().map_err(Error::other)?;
    let mut question = MessageBuilder::new_vec();
    question.header_mut().set_id(u16::from_ne_bytes([std::process::id() as u8, kind.to_int() as u8]));
    question.header_mut().set_rd(true);
    let mut question = question.question();
    question.push((name, kind)).map_err(Error::other)?;
    Ok(question.into_message())
}

fn addresses(answer: &Message<Vec<u8>>) -> std::result::Result<Vec<Ipv4Addr>, String> {
    let records = told(answer)?.limit_to::<A>();
    records.map(|record| record.map(|it| it.data().addr()).map_err(|error| error.to_string())).collect()
}

fn names(answer: &Message<Vec<u8>>) -> std::result::Result<Vec<String>, String> {
    let records = told(answer)?.limit_to::<Ptr<_>>();
    records.map(|record| record.map(|it| it.data().ptrdname().to_string()).map_err(|error| error.to_string())).collect()
}

/// That there is no such name is an answer too: an empty one.
fn told(answer: &Message<Vec<u8>>) -> std::result::Result<domain::base::message::RecordSection<'_, Vec<u8>>, String> {
    match answer.header().rcode() {
        Rcode::NOERROR | Rcode::NXDOMAIN => answer.answer().map_err(|error| error.to_string()),
        other => Err(format!("the server says {other}")),
    }
}
