//! The page and the few addresses that it talks to.

use std::{convert::Infallible, sync::Arc};

use axum::{
    Json, Router,
    extract::{Path, Request as HttpRequest, State},
    http::{HeaderValue, StatusCode, header},
    middleware::{self, Next},
    response::{
        Html, IntoResponse, Response,
        sse::{Event, KeepAlive, Sse},
    },
    routing::{get, post},
};
use futures::{Stream, StreamExt, stream};
use tokio::sync::broadcast::{Receiver, error::RecvError};

use crate::{
    job::{Job, News, Request},
    jobs::Jobs,
};

type Shared = State<Arc<Jobs>>;

pub fn router(jobs: Arc<Jobs>) -> Router {
    Router::new()
        .route("/", get(|| async { Html(include_str!("page.html")) }))
        .route("/jobs", get(list).post(start))
        .route("/jobs/{id}", get(show))
        .route("/jobs/{id}/stop", post(stop))
        .route("/jobs/{id}/events", get(events))
        .route("/jobs/{id}/report/{format}", get(report))
        .layer(middleware::from_fn(guard))
        .with_state(jobs)
}

/// Other sites must not reach this server through the browser: not under a name of their own, and not to change anything.
async fn guard(request: HttpRequest, next: Next) -> Response {
    let host = request
        .headers()
        .get(header::HOST)
        .and_then(|host| host.to_str().ok())
        .unwrap_or_default();
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    if !["127.0.0.1", "localhost", "[::1]"].contains(&name) {
        return (
            StatusCode::FORBIDDEN,
            "this server answers to 127.0.0.1 and localhost only",
        )
            .into_response();
    }
    let origin = request
        .headers()
        .get(header::ORIGIN)
        .and_then(|origin| origin.to_str().ok());
    if origin.is_some_and(|origin| origin != format!("http://{host}")) {
        return (
            StatusCode::FORBIDDEN,
            "requests of other sites are not answered",
        )
            .into_response();
    }
    let mut response = next.run(request).await;
    let policy = "default-src 'self'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; frame-ancestors 'none'";
    response.headers_mut().insert(
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static(policy),
    );
    response
}

/// Any failure as an answer.
struct Failure(StatusCode, String);

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        (self.0, Json(serde_json::json!({ "error": self.1 }))).into_response()
    }
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        Self(StatusCode::INTERNAL_SERVER_ERROR, format!("{error:#}"))
    }
}

fn missing() -> Failure {
    Failure(StatusCode::NOT_FOUND, "there is no such scan".to_owned())
}

async fn list(State(jobs): Shared) -> Result<Json<Vec<Job>>, Failure> {
    Ok(Json(jobs.list().await?))
}

async fn start(
    State(jobs): Shared,
    Json(request): Json<Request>,
) -> Result<(StatusCode, Json<Job>), Failure> {
    match jobs.start(request).await {
        Ok(job) => Ok((StatusCode::CREATED, Json(job))),
        Err(error) => Err(Failure(StatusCode::BAD_REQUEST, format!("{error:#}"))),
    }
}

async fn show(
    State(jobs): Shared,
    Path(id): Path<u64>,
) -> Result<Json<serde_json::Value>, Failure> {
    let job = jobs.job(id).await?.ok_or_else(missing)?;
    let report = jobs.report(id).await?;
    let mut open = Vec::new();
    for host in report.iter().flat_map(portscan::Report::hosts) {
        for port in host
            .ports()
            .filter(|port| port.state == portscan::State::Open)
        {
            open.push(serde_json::json!({ "addr": host.scoped_addr(), "port": port.port, "name": port.name(), "banner": port.banner() }));
        }
    }
    Ok(Json(serde_json::json!({ "job": job, "open": open })))
}

async fn stop(State(jobs): Shared, Path(id): Path<u64>) -> Result<StatusCode, Failure> {
    if jobs.stop(id) {
        return Ok(StatusCode::ACCEPTED);
    }
    jobs.job(id).await?.ok_or_else(missing)?;
    Ok(StatusCode::OK)
}

/// What was found so far and what is found from now on; ends with the scan.
async fn events(
    State(jobs): Shared,
    Path(id): Path<u64>,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, Failure> {
    let (so_far, live) = match jobs.listen(id) {
        Some((so_far, live)) => (so_far, Some(live)),
        None => {
            let job = jobs.job(id).await?.ok_or_else(missing)?;
            (vec![News::End { job: Box::new(job) }], None)
        }
    };
    let items = stream::iter(so_far).chain(stream::unfold(live, next_news));
    Ok(Sse::new(items.map(|news| Ok(to_event(&news)))).keep_alive(KeepAlive::default()))
}

async fn next_news(live: Option<Receiver<News>>) -> Option<(News, Option<Receiver<News>>)> {
    let mut live = live?;
    match live.recv().await {
        Ok(end @ News::End { .. }) => Some((end, None)),
        Ok(news) => Some((news, Some(live))),
        // A page that is too slow connects again and gets what was found so far.
        Err(RecvError::Lagged(_) | RecvError::Closed) => None,
    }
}

fn to_event(news: &News) -> Event {
    Event::default().data(serde_json::to_string(news).unwrap_or_default())
}

async fn report(
    State(jobs): Shared,
    Path((id, format)): Path<(u64, String)>,
) -> Result<Response, Failure> {
    let report = jobs.report(id).await?.ok_or_else(missing)?;
    let mut body = Vec::new();
    let (written, kind) = match format.as_str() {
        "json" => (report.write_json(&mut body), "application/json"),
        "csv" => (report.write_csv(&mut body), "text/csv; charset=utf-8"),
        "xml" => (report.write_xml(&mut body), "application/xml"),
        "txt" => {
            body = report.to_string().into_bytes();
            (Ok(()), "text/plain; charset=utf-8")
        }
        _ => {
            return Err(Failure(
                StatusCode::NOT_FOUND,
                "the formats are json, csv, xml and txt".to_owned(),
            ));
        }
    };
    written.map_err(anyhow::Error::from)?;
    let name = format!("attachment; filename=\"portscan-{id}.{format}\"");
    Ok((
        [
            (header::CONTENT_TYPE, kind.to_owned()),
            (header::CONTENT_DISPOSITION, name),
        ],
        body,
    )
        .into_response())
}
