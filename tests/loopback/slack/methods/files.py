"""files.*: uploads in three steps, as files_upload_v2 does them, and looking one up."""

from __future__ import annotations

from tests.loopback.slack.exchange import Entry, Exchange
from tests.loopback.slack.methods.chat import from_bot, in_thread, message_event
from tests.loopback.slack.state import Channel, Upload, Workspace
from tests.loopback.slack.wire import Body, SlackError


def file_body(workspace: Workspace, upload: Upload, user: str) -> Body:
    extension = upload.name.rpartition(".")[2]
    url = f"https://files.slack.com/files-pri/{workspace.team_id}-{upload.id}/{upload.name}"
    return {
        "id": upload.id,
        "name": upload.name,
        "title": upload.title or upload.name,
        "mimetype": "text/plain",
        "filetype": extension or "text",
        "user": user,
        "mode": "hosted",
        "size": upload.length,
        "url_private": url,
        "permalink": f"https://{workspace.domain}.slack.com/files/{user}/{upload.id}/{upload.name}",
    }


def get_upload_url(exchange: Exchange) -> Body:
    name, length = str(exchange.required("filename")), int(exchange.required("length"))
    upload = Upload(exchange.workspace.next_id("F"), name, length)
    exchange.workspace.uploads[upload.id] = upload
    return {"upload_url": f"{exchange.http_url}/upload/v1/{upload.id}", "file_id": upload.id}


def complete_upload(exchange: Exchange) -> Body:
    workspace = exchange.workspace
    uploads = [_completed(workspace, entry) for entry in exchange.required("files")]
    if exchange.get("channel_id"):
        _share(exchange, exchange.writable("channel_id"), uploads)
    return {"files": [file_body(workspace, upload, workspace.bot_user) for upload in uploads]}


def file_info(exchange: Exchange) -> Body:
    upload = exchange.workspace.uploads.get(str(exchange.required("file")))
    if upload is None:
        raise SlackError("file_not_found")
    return {"file": file_body(exchange.workspace, upload, exchange.workspace.bot_user)}


def _completed(workspace: Workspace, entry: Body) -> Upload:
    upload = workspace.uploads.get(entry["id"])
    if upload is None or len(upload.content) != upload.length:
        raise SlackError("file_not_found")
    upload.title = entry.get("title", "")
    return upload


def _share(exchange: Exchange, channel: Channel, uploads: list[Upload]) -> None:
    workspace = exchange.workspace
    message = from_bot(workspace, workspace.next_ts())
    message["text"] = exchange.get("initial_comment") or ""
    message["files"] = [file_body(workspace, upload, workspace.bot_user) for upload in uploads]
    in_thread(channel, message, exchange.get("thread_ts"))
    message["subtype"] = "file_share"
    for upload in uploads:
        upload.channel, upload.thread_ts = channel.id, message.get("thread_ts")
    channel.messages[message["ts"]] = message
    exchange.emit(workspace, message_event(message, channel), channel)


METHODS = {
    "files.getUploadURLExternal": Entry(get_upload_url, "files:write"),
    "files.completeUploadExternal": Entry(complete_upload, "files:write"),
    "files.info": Entry(file_info, "files:read"),
}
