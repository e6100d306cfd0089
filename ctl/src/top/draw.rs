//! A picture and a screen as characters. Nothing is decided here.

use fmc_api::backends::ServerStatus;
use fmc_api::events::Event;
use fmc_api::status::{FrontendStatus, Owner, Status, VipStatus};
use fmc_api::word::{AdminState, Health};
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span, Text};
use ratatui::widgets::{Block, Cell, Clear, Paragraph, Row, Table, TableState, Wrap};

use super::picture::Picture;
use super::screen::{Screen, Sheet};
use crate::render::{Paint, Tone, fact};
use crate::span::Span as Ago;

const KEYS: &str = "up/down  d drain  r ready  m maint  f move VIP  D R F this node  ? help  q quit";

const HELP: &str = "\
up, down, k, j   choose a VIP or a server
d  r  m          the chosen server: drain, ready, maint
f                the chosen VIP: move it to another node
D  R             this node: drain (its VIPs move away), ready
F                all VIPs of this node: move them
q, Esc, Ctrl-C   leave

Each asks first, and says how many connections it cuts.
The charts are the last minutes, now at the right.";

/// Draws everything.
pub(crate) fn draw(screen: &Screen, paint: Paint, frame: &mut Frame<'_>) {
    let Some(picture) = &screen.picture else {
        let text = screen.trouble.as_deref().unwrap_or("asking the daemon ...");
        return frame.render_widget(Paragraph::new(text).wrap(Wrap { trim: false }), frame.area());
    };
    let frontends: usize = picture.status.vips.iter().map(|vip| vip.frontends.len()).sum();
    let [head, vips, services, servers, events, foot] = Layout::vertical([
        Constraint::Length(2),
        Constraint::Length(picture.status.vips.len() as u16 + 1),
        Constraint::Length(frontends as u16 + 1),
        Constraint::Min(4),
        Constraint::Max(5),
        Constraint::Length(1),
    ])
    .areas(frame.area());
    frame.render_widget(header(screen, &picture.status, paint), head);
    draw_vips(screen, picture, paint, frame, vips);
    draw_services(picture, paint, frame, services);
    draw_servers(screen, picture, paint, frame, servers);
    draw_events(picture, paint, frame, events);
    frame.render_widget(footer(screen, paint), foot);
    draw_sheet(&screen.sheet, paint, frame);
}

fn header<'a>(screen: &'a Screen, status: &'a Status, paint: Paint) -> Paragraph<'a> {
    let up = Ago(status.up_since.until(status.now));
    let node = Span::styled(status.node.as_str(), strong(paint));
    let state = match status.admin {
        AdminState::Ready => String::new(),
        other => format!(", {other}"),
    };
    let first = Line::from(vec![node, Span::raw(format!("{state}  up {up}  fmc-lb {}", status.version))]);
    let second = match (&screen.trouble, status.alarms.first()) {
        (Some(trouble), _) => Line::styled(format!("old picture: {trouble}"), tone(Tone::Bad, paint)),
        (None, Some(alarm)) => {
            let more = if status.alarms.len() > 1 { format!(" (+{})", status.alarms.len() - 1) } else { String::new() };
            Line::styled(format!("ALARM {}{more}", alarm.text), tone(fact::severity_tone(alarm.severity), paint))
        }
        (None, None) => {
            let word = if status.safe_to_patch.safe { "safe to patch: " } else { "not safe to patch: " };
            Line::from(format!("{word}{}", status.safe_to_patch.why))
        }
    };
    Paragraph::new(Text::from(vec![first, second]))
}

fn draw_vips(screen: &Screen, picture: &Picture, paint: Paint, frame: &mut Frame<'_>, area: Rect) {
    let rows = picture.status.vips.iter().map(|vip| vip_row(vip, &picture.status, paint));
    let widths = [14, 15, 14, 17, 9, 6].map(Constraint::Length);
    let head = ["VIP", "ADDRESS", "OWNER", "HERE", "FITNESS", "OPEN"];
    let table = table(head, rows.collect(), &widths, paint);
    let mut state = TableState::new();
    state.select(Some(screen.selected).filter(|row| *row < picture.status.vips.len()));
    frame.render_stateful_widget(table, area, &mut state);
}

fn vip_row(vip: &VipStatus, status: &Status, paint: Paint) -> Row<'static> {
    let owner = match &vip.owner {
        Owner::Node(node) => Cell::new(node.to_string()),
        Owner::Foreign(address) => Cell::new(address.to_string()).style(tone(Tone::Warn, paint)),
        Owner::Nobody => Cell::new("nobody").style(tone(Tone::Bad, paint)),
        Owner::Unknown => Cell::new("unknown"),
    };
    let here = format!("{} {}", vip.role, Ago(vip.since.until(status.now)));
    let fitness = Cell::new(vip.fitness.tier.as_str()).style(tone(fact::tier_tone(vip.fitness.tier), paint));
    Row::new([
        Cell::new(vip.name.to_string()),
        Cell::new(vip.address.to_string()),
        owner,
        Cell::new(here),
        fitness,
        Cell::new(vip.connections.to_string()),
    ])
}

fn draw_services(picture: &Picture, paint: Paint, frame: &mut Frame<'_>, area: Rect) {
    let chart = usize::from(area.width.saturating_sub(56));
    let all = picture.status.vips.iter().flat_map(|vip| &vip.frontends);
    let rows = all.map(|frontend| service_row(frontend, picture, chart, paint)).collect();
    let widths: Vec<Constraint> =
        [16, 12, 7, 7, 9].map(Constraint::Length).into_iter().chain([Constraint::Fill(1)]).collect();
    frame.render_widget(table(["SERVICE", "PORTS", "OPEN", "NEW/S", "BYTES/S", ""], rows, &widths, paint), area);
}

fn service_row(frontend: &FrontendStatus, picture: &Picture, chart: usize, paint: Paint) -> Row<'static> {
    let (accepted, bytes) = picture.rates(&frontend.name);
    let protocol = if frontend.udp { "/udp" } else { "" };
    let ports: Vec<String> = frontend.ports.iter().map(|port| format!("{port}{protocol}")).collect();
    let listening = if frontend.listening { Tone::Plain } else { Tone::Bad };
    Row::new([
        Cell::new(frontend.name.to_string()),
        Cell::new(ports.join(",")).style(tone(listening, paint)),
        Cell::new(frontend.connections.to_string()),
        Cell::new(accepted.last().copied().unwrap_or_default().to_string()),
        Cell::new(fact::bytes(bytes.last().copied().unwrap_or_default())),
        Cell::new(bars(&accepted, chart)),
    ])
}

fn draw_servers(screen: &Screen, picture: &Picture, paint: Paint, frame: &mut Frame<'_>, area: Rect) {
    let all = picture.backends.backends.iter().flat_map(|backend| {
        backend.servers.iter().map(move |server| (format!("{}/{}", backend.name, server.name), server))
    });
    let rows = all.map(|(name, server)| server_row(name, server, paint)).collect();
    let widths: Vec<Constraint> =
        [24, 10, 7, 7].map(Constraint::Length).into_iter().chain([Constraint::Fill(1)]).collect();
    let table = table(["SERVER", "HEALTH", "ASKED", "OPEN", "LAST CHECK"], rows, &widths, paint);
    let mut state = TableState::new();
    state.select(screen.selected.checked_sub(picture.status.vips.len()));
    frame.render_stateful_widget(table, area, &mut state);
}

fn server_row(name: String, server: &ServerStatus, paint: Paint) -> Row<'static> {
    let health = match server.health {
        Health::Healthy => Tone::Good,
        Health::Unknown => Tone::Warn,
        Health::Unhealthy => Tone::Bad,
    };
    let asked = if server.admin == AdminState::Ready { Tone::Plain } else { Tone::Warn };
    let check = server.last_check.as_ref().map_or_else(String::new, |last| last.words.clone());
    Row::new([
        Cell::new(name),
        Cell::new(server.health.as_str()).style(tone(health, paint)),
        Cell::new(server.admin.as_str()).style(tone(asked, paint)),
        Cell::new(server.connections.to_string()),
        Cell::new(check),
    ])
}

/// The newest last, as in a log.
fn draw_events(picture: &Picture, paint: Paint, frame: &mut Frame<'_>, area: Rect) {
    let room = usize::from(area.height.saturating_sub(1));
    let newest = &picture.events[picture.events.len().saturating_sub(room)..];
    let title = Line::styled("EVENTS", heading(paint));
    let lines = newest.iter().map(|event| event_line(event, picture, paint));
    frame.render_widget(Paragraph::new(Text::from_iter([title].into_iter().chain(lines))), area);
}

fn event_line<'a>(event: &'a Event, picture: &Picture, paint: Paint) -> Line<'a> {
    let ago = Ago(event.at.until(picture.status.now));
    let subject = event.subject.as_ref().map(|subject| format!("{subject}: ")).unwrap_or_default();
    let text = format!("{subject}{}", event.text);
    Line::from(vec![
        Span::raw(format!("{:>7}  ", ago.to_string())),
        Span::styled(text, tone(fact::severity_tone(event.severity), paint)),
    ])
}

fn footer(screen: &Screen, paint: Paint) -> Paragraph<'_> {
    match &screen.message {
        Some(message) => Paragraph::new(Line::styled(message.as_str(), strong(paint))),
        None => Paragraph::new(Line::styled(KEYS, dim(paint))),
    }
}

fn draw_sheet(sheet: &Sheet, paint: Paint, frame: &mut Frame<'_>) {
    let (title, text) = match sheet {
        Sheet::None => return,
        Sheet::Help => (" keys ", HELP.to_owned()),
        Sheet::Asking(_) => (" one moment ", "asking what that would do ...".to_owned()),
        Sheet::Confirm(_, words) => (" do it? ", format!("{}\n\ny: do it, any other key: leave it", words.trim_end())),
    };
    let area = centred(&text, frame.area());
    let block = Block::bordered().title(Span::styled(title, strong(paint)));
    frame.render_widget(Clear, area);
    frame.render_widget(Paragraph::new(text).wrap(Wrap { trim: false }).block(block), area);
}

/// As large as the text needs, wrapped at most of the screen's width.
fn centred(text: &str, screen: Rect) -> Rect {
    let most = screen.width.saturating_sub(6).max(1);
    let width = text.lines().map(|line| line.chars().count() as u16).max().unwrap_or(1).clamp(30, most.max(30));
    let height: u16 = text.lines().map(|line| (line.chars().count() as u16).div_ceil(width).max(1)).sum();
    let (width, height) = ((width + 2).min(screen.width), (height + 2).min(screen.height));
    Rect { x: screen.x + (screen.width - width) / 2, y: screen.y + (screen.height - height) / 2, width, height }
}

/// The last values, each as high as it is against the highest; now is at the right.
fn bars(values: &[u64], width: usize) -> String {
    const HEIGHTS: [char; 9] = [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let shown = &values[values.len().saturating_sub(width)..];
    let highest = shown.iter().copied().max().unwrap_or_default().max(1);
    let bar = |value: &u64| HEIGHTS[(value * 8).div_ceil(highest) as usize];
    let drawn: String = shown.iter().map(bar).collect();
    format!("{drawn:>width$}")
}

fn table<const N: usize>(
    head: [&'static str; N],
    rows: Vec<Row<'static>>,
    widths: &[Constraint],
    paint: Paint,
) -> Table<'static> {
    let head = Row::new(head.map(Cell::new)).style(heading(paint));
    // Reversed, not coloured: it is seen without colours too.
    let chosen = Style::new().add_modifier(Modifier::REVERSED);
    Table::new(rows, widths.to_vec()).header(head).row_highlight_style(chosen)
}

fn heading(paint: Paint) -> Style {
    if paint.is_on() { Style::new().fg(Color::Cyan) } else { Style::new() }
}

fn dim(paint: Paint) -> Style {
    if paint.is_on() { Style::new().add_modifier(Modifier::DIM) } else { Style::new() }
}

fn strong(paint: Paint) -> Style {
    if paint.is_on() { Style::new().add_modifier(Modifier::BOLD) } else { Style::new() }
}

fn tone(tone: Tone, paint: Paint) -> Style {
    match tone {
        _ if !paint.is_on() => Style::new(),
        Tone::Plain => Style::new(),
        Tone::Good => Style::new().fg(Color::Green),
        Tone::Warn => Style::new().fg(Color::Yellow),
        Tone::Bad => Style::new().fg(Color::Red).add_modifier(Modifier::BOLD),
    }
}
