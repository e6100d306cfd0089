//! The tasks that ask the agents of servers, one each.

use std::net::SocketAddr;
use std::time::Duration;

use fmc_config::model::backend::{Agent, Backend};
use fmc_config::model::name::{BackendName, ServerName};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio::task::AbortHandle;
use tokio::time::{MissedTickBehavior, interval, timeout};

use crate::agent::AgentWords;

/// The longest answer that is read.
const LONGEST: u64 = 512;

/// Asks every agent of a configuration until it is dropped.
#[derive(Debug)]
pub struct Agents {
    asked: Vec<Asked>,
    tell: mpsc::Sender<AgentSaid>,
    handle: Handle,
}

/// What a server's agent has answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AgentSaid {
    /// The server's backend.
    pub backend: BackendName,
    /// The server.
    pub server: ServerName,
    /// Its words; the error is why there are none, and changes nothing.
    pub words: Result<AgentWords, String>,
}

/// One agent, asked until this is dropped.
#[derive(Debug)]
struct Asked {
    backend: BackendName,
    server: ServerName,
    at: SocketAddr,
    agent: Agent,
    task: AbortHandle,
}

impl Drop for Asked {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Agents {
    /// Begins to ask. A full channel drops an answer: the next one says the same.
    pub fn start(backends: &[Backend], tell: mpsc::Sender<AgentSaid>, handle: &Handle) -> Self {
        let mut agents = Self { asked: Vec::new(), tell, handle: handle.clone() };
        agents.reconfigure(backends);
        agents
    }

    /// Goes over to another configuration; an agent that stays notices nothing.
    pub fn reconfigure(&mut self, backends: &[Backend]) {
        let mut before = std::mem::take(&mut self.asked);
        for backend in backends {
            let Some(agent) = backend.agent else { continue };
            for server in &backend.servers {
                let at = SocketAddr::new(server.check_address.unwrap_or(server.address), agent.port.get());
                let same = |known: &Asked| {
                    known.backend == backend.name
                        && known.server == server.name
                        && (known.at, known.agent) == (at, agent)
                };
                let known = before.iter().position(same).map(|known| before.swap_remove(known));
                let asked = known.unwrap_or_else(|| self.ask(&backend.name, &server.name, at, agent));
                self.asked.push(asked);
            }
        }
    }

    fn ask(&self, backend: &BackendName, server: &ServerName, at: SocketAddr, agent: Agent) -> Asked {
        let (tell, about) = (self.tell.clone(), (backend.clone(), server.clone()));
        let task = self.handle.spawn(ask_for_ever(about, at, agent, tell)).abort_handle();
        Asked { backend: backend.clone(), server: server.clone(), at, agent, task }
    }
}

async fn ask_for_ever(
    (backend, server): (BackendName, ServerName),
    at: SocketAddr,
    agent: Agent,
    tell: mpsc::Sender<AgentSaid>,
) {
    let mut turns = interval(agent.interval);
    turns.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        turns.tick().await;
        let words = question(at, agent.timeout).await;
        let _ = tell.try_send(AgentSaid { backend: backend.clone(), server: server.clone(), words });
    }
}

/// Connects and listens: an agent speaks first.
async fn question(at: SocketAddr, within: Duration) -> Result<AgentWords, String> {
    let heard = async {
        let mut stream = TcpStream::connect(at).await?;
        let said = line(&mut stream).await;
        let _ = stream.shutdown().await;
        said
    };
    match timeout(within, heard).await {
        Err(_) => Err(format!("no line from {at} within {within:?}")),
        Ok(Err(error)) => Err(format!("{at}: {error}")),
        Ok(Ok(said)) => Ok(AgentWords::parse(&String::from_utf8_lossy(&said))),
    }
}

/// Until the line ends, the agent closes, or it is too long.
async fn line(stream: &mut TcpStream) -> std::io::Result<Vec<u8>> {
    let (mut said, mut limited) = (Vec::new(), stream.take(LONGEST));
    let mut piece = [0; 128];
    loop {
        let read = limited.read(&mut piece).await?;
        said.extend_from_slice(&piece[..read]);
        let is_whole = said.iter().skip_while(|octet| octet.is_ascii_whitespace()).any(|octet| *octet == b'\n');
        if read == 0 || is_whole {
            return Ok(said);
        }
    }
}
