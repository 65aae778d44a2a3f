//! The screen's access to records and profiles on disk, and to the hub.

use std::{
    fs::{self, File},
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
};

use parking_lot::Mutex;
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;

use super::{
    first_start,
    form::{parse_overrides, parse_profile, profile_entries},
    results::{self, load_record},
};
use crate::{
    cli::OutputFormat,
    commands::{
        images,
        records::{delete_record, detail_for, write_record},
    },
    engine::{
        self,
        doctor::{self, Check, DoctorRequest},
    },
    hub::{
        self, Hub, HubError,
        docker::{self, DockerHub},
    },
    paths,
    plan::{HubRequest, Plan},
    profile::{self, Library},
    record::{index, store},
    report::cells::{ReportCells, SourceRecord},
    server::HubKind,
    tui::{
        DisplayChoices, Document, ExportFormat, HubCandidate, ProfileEntry, RecordService,
        ServiceRequest, ServiceResponse,
    },
};

/// Message after an image build was stopped.
const BUILD_STOPPED: &str = "stopped; finished steps are saved on the hub: build again to continue";

/// Serves the screen's requests from the records folder (with an index among this program's state
/// files), the operator's profiles, and the doctor.
pub struct DiskRecordService {
    /// Runtime for requests to an engine.
    runtime: Handle,
    /// Cancelled to stop the image build in progress.
    images: Mutex<CancellationToken>,
    /// Choices of `screen.toml`, which remembered ones replace.
    file_choices: DisplayChoices,
}

impl RecordService for DiskRecordService {
    fn handle(
        &self,
        request: &ServiceRequest,
        respond: &dyn Fn(ServiceResponse),
    ) -> ServiceResponse {
        match request {
            ServiceRequest::ListRecords => ServiceResponse::RecordList(list_records(respond)),
            ServiceRequest::OpenRecord(path) => {
                ServiceResponse::Document(open_record(path).map(Box::new))
            }
            ServiceRequest::ReadResults(path) => {
                ServiceResponse::RunResults(path.clone(), results::read_results(path).map(Box::new))
            }
            ServiceRequest::OpenReport(path) => {
                ServiceResponse::ReportWritten(results::open_report(path))
            }
            ServiceRequest::RememberTour => {
                ServiceResponse::TourRemembered(first_start::remember_tour())
            }
            ServiceRequest::ReportRecords(paths) => {
                ServiceResponse::Exported(results::write_report(paths))
            }
            ServiceRequest::CompareRecords(a, b) => {
                ServiceResponse::Document(open_comparison(a, b).map(Box::new))
            }
            ServiceRequest::LabelRecord(path, label) => ServiceResponse::RecordList(
                label
                    .save(path)
                    .map_err(|error| {
                        format!("tags and note of {} were not saved: {error}", path.display())
                    })
                    .and_then(|()| list_records(respond)),
            ),
            ServiceRequest::DeleteRecord(path) => ServiceResponse::RecordList(
                delete_record(path).and_then(|()| list_records(respond)),
            ),
            ServiceRequest::ReadHubCautions(hub) => {
                ServiceResponse::HubCautions(hub.clone(), self.read_hub_cautions(hub))
            }
            ServiceRequest::FindHubs => ServiceResponse::Hubs(known_hubs()),
            ServiceRequest::BuildImages(plan) => {
                ServiceResponse::ImagesBuilt(self.build_images(plan, respond))
            }
            ServiceRequest::CheckHub { number, plan } => self.run_checks(*number, plan, respond),
            ServiceRequest::SaveProfile { name, text, overrides, replace } => {
                ServiceResponse::Profiles(save_profile(name, text, overrides, *replace))
            }
            ServiceRequest::RenameProfile { from, to } => {
                ServiceResponse::Profiles(rename_profile(from, to))
            }
            ServiceRequest::DeleteProfile(name) => ServiceResponse::Profiles(remove_profile(name)),
            ServiceRequest::ExportRecord(path, export) => {
                ServiceResponse::Exported(export_record(path, *export))
            }
        }
    }

    fn remember(&self, choices: DisplayChoices) {
        let text = choices.to_toml(self.file_choices);
        if let Err(error) = choices_file().and_then(|path| write_choices(&path, &text)) {
            tracing::warn!(%error, "the choices of the screen are not remembered");
        }
    }

    fn stop_images(&self) {
        self.images.lock().cancel();
    }
}

impl DiskRecordService {
    /// A service that sends its requests to an engine on `runtime`; `file_choices` are those of
    /// `screen.toml`.
    pub fn new(runtime: Handle, file_choices: DisplayChoices) -> Self {
        Self { runtime, images: Mutex::default(), file_choices }
    }

    /// Builds a plan's images on its hub, one after the other; returns their names.
    fn build_images(
        &self,
        plan: &Plan,
        respond: &dyn Fn(ServiceResponse),
    ) -> Result<Vec<String>, String> {
        let required = engine::required_images(plan).map_err(|error| error.to_string())?;
        if required.is_empty() {
            return Ok(Vec::new());
        }
        let cancel = CancellationToken::new();
        *self.images.lock() = cancel.clone();
        let build = async {
            let hub = hub::open(plan, None).await?;
            for image in &required {
                images::ensure_image(hub.as_ref(), image, &cancel, |step| {
                    respond(ServiceResponse::ImageProgress(step));
                })
                .await?;
            }
            Ok::<_, HubError>(())
        };
        self.runtime.block_on(build).map_err(|error| match error {
            HubError::Cancelled => BUILD_STOPPED.to_owned(),
            error => error.to_string(),
        })?;
        Ok(required.iter().map(|image| image.reference().to_owned()).collect())
    }

    /// Asks an engine what is missing on its hub; nothing if it does not answer, which the run itself and a
    /// check of the hub report.
    fn read_hub_cautions(&self, request: &HubRequest) -> Vec<String> {
        let facts = async { DockerHub::connect(request, None).await?.facts().await };
        match self.runtime.block_on(facts) {
            Ok(facts) => facts.cautions,
            Err(error) => {
                tracing::debug!(%error, "the hub of the form does not answer");
                Vec::new()
            }
        }
    }

    /// Runs all checks for a plan; responds with those so far whenever one is known.
    fn run_checks(
        &self,
        number: u64,
        plan: &Plan,
        respond: &dyn Fn(ServiceResponse),
    ) -> ServiceResponse {
        let folders = [
            ("records", paths::records_dir().ok()),
            ("profiles", Library::open().ok().map(|library| library.folder().to_owned())),
        ];
        let folders = folders
            .into_iter()
            .filter_map(|(what, folder)| Some((what.to_owned(), folder?)))
            .collect();
        let request = DoctorRequest {
            hub: plan.hub.clone(),
            plan: Some(plan.clone()),
            images_build: "i on the form".to_owned(),
            folders,
        };
        let so_far = |checks: &[Check], is_complete: bool| ServiceResponse::HubChecks {
            number,
            checks: checks.to_vec(),
            is_complete,
        };
        let mut checks = Vec::new();
        let mut report = |check: Check| {
            checks.push(check);
            respond(so_far(&checks, false));
        };
        let cancel = CancellationToken::new();
        self.runtime.block_on(doctor::examine(&request, &cancel, &mut report));
        so_far(&checks, true)
    }
}

/// File of the choices that were made on the screen.
pub fn choices_file() -> io::Result<PathBuf> {
    paths::state_dir().map(|folder| folder.join("screen-choices.toml")).map_err(io::Error::other)
}

/// Writes the choices completely or not at all: another screen may read them.
fn write_choices(path: &Path, text: &str) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder)?;
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(text.as_bytes())?;
    file.persist(path).map(|_| ()).map_err(|error| error.error)
}

/// The known engines, and this machine without one.
fn known_hubs() -> Vec<HubCandidate> {
    let engines = docker::known_engines().into_iter().map(|known| HubCandidate {
        kind: HubKind::Docker,
        engine: known.address,
        certificates: known.certificates.map(|folder| folder.display().to_string()),
        title: known.source,
    });
    let here = HubCandidate {
        kind: HubKind::Local,
        engine: None,
        certificates: None,
        title: "this machine, without containers".to_owned(),
    };
    engines.chain([here]).collect()
}

/// All profiles, and the name of the profile to select.
type ProfileList = Result<(Vec<ProfileEntry>, String), String>;

/// Lists the profiles again after a change; `chosen` is to be selected.
fn listed_profiles(chosen: &str) -> ProfileList {
    match profile_entries() {
        (entries, None) => Ok((entries, chosen.to_owned())),
        (_, Some(problem)) => Err(problem),
    }
}

fn open_library() -> Result<Library, String> {
    Library::open().map_err(|error| error.to_string())
}

fn save_profile(
    name: &str,
    text: &str,
    overrides: &[(String, String)],
    replace: bool,
) -> ProfileList {
    let made = parse_profile(text, overrides).map_err(|problems| {
        problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
    })?;
    let changes = parse_overrides(overrides).map_err(|problem| problem.to_string())?;
    let text = profile::edit_text(text, Some(name), &changes, Some(&made))?;
    open_library()?.save_text(name, &text, replace).map_err(|error| error.to_string())?;
    listed_profiles(name)
}

fn rename_profile(from: &str, to: &str) -> ProfileList {
    let library = open_library()?;
    let source = library.find(from).map_err(|error| error.to_string())?;
    let text = profile::edit_text(&source.text, Some(to), &[], None)?;
    library.save_text(to, &text, false).map_err(|error| error.to_string())?;
    library.remove(from).map_err(|error| error.to_string())?;
    listed_profiles(to)
}

fn remove_profile(name: &str) -> ProfileList {
    open_library()?.remove(name).map_err(|error| error.to_string())?;
    listed_profiles("")
}

fn list_records(respond: &dyn Fn(ServiceResponse)) -> Result<Vec<index::IndexEntry>, String> {
    let folder = paths::records_dir().map_err(|error| error.to_string())?;
    let index = paths::records_index();
    let respond = |entries: &[index::IndexEntry], of| {
        respond(ServiceResponse::PartialRecordList(entries.to_vec(), of));
    };
    index::list_records(&folder, index.as_deref(), &respond).map_err(|error| error.to_string())
}

fn open_record(path: &Path) -> Result<Document, String> {
    Ok(Document::from_record(&store::record_name(path), path, &load_record(path)?))
}

fn open_comparison(a: &Path, b: &Path) -> Result<Document, String> {
    let (record_a, record_b) = (load_record(a)?, load_record(b)?);
    let (name_a, name_b) = (store::record_name(a), store::record_name(b));
    let sources = [
        SourceRecord { name: &name_a, record: &record_a },
        SourceRecord { name: &name_b, record: &record_b },
    ];
    let comparison = results::compare_records(sources).map_err(|error| error.to_string())?;
    let cells = ReportCells::from_sources(sources.to_vec(), false);
    Ok(Document::comparison(&comparison, &cells))
}

/// Writes an export into the current folder, in which the screen was opened.
fn export_record(path: &Path, export: ExportFormat) -> Result<PathBuf, String> {
    let name = store::record_name(path);
    let (to, format) = match export {
        ExportFormat::Json => (format!("{name}.json"), OutputFormat::Json),
        ExportFormat::Csv => (format!("{name}.csv"), OutputFormat::Csv),
        ExportFormat::Report => return results::write_report(&[path]),
    };
    let record = store::load_detail(path, detail_for(format)).map_err(|error| error.to_string())?;
    // Never overwrite: the existing file may be the record itself.
    let written = File::create_new(&to).and_then(|file| {
        let mut writer = BufWriter::new(file);
        write_record(&mut writer, &record, path, format)?;
        writer.flush()
    });
    written.map_err(|error| format!("{to} was not written: {error}"))?;
    Ok(fs::canonicalize(&to).unwrap_or_else(|_| PathBuf::from(to)))
}
