"""The table of the API: every address the stand-in answers as the platform."""

from __future__ import annotations

from bot.simulator import media, menus, messages_api, oauth, qr, tags, templates, tokens, users
from bot.simulator.api import Endpoint

CGI = "/cgi-bin"

ENDPOINTS = (
    Endpoint("GET", f"{CGI}/token", tokens.get_token, quota="token", token=False),
    Endpoint("POST", f"{CGI}/stable_token", tokens.get_stable_token, quota="stable_token", token=False),
    Endpoint("GET", f"{CGI}/ticket/getticket", tokens.get_ticket, quota="ticket"),
    Endpoint("POST", f"{CGI}/clear_quota", tokens.clear_quota),
    Endpoint("POST", f"{CGI}/message/custom/send", messages_api.send, "messages", "custom"),
    Endpoint("POST", f"{CGI}/message/custom/typing", messages_api.typing, "messages"),
    Endpoint("POST", f"{CGI}/message/template/send", templates.send, "service", "template"),
    Endpoint("GET", f"{CGI}/template/get_all_private_template", templates.list_all, "service"),
    Endpoint("POST", f"{CGI}/media/upload", media.upload, "messages", "media_upload"),
    Endpoint("GET", f"{CGI}/media/get", media.download, "messages", "media_get"),
    Endpoint("POST", f"{CGI}/menu/create", menus.create, "menu", "menu_create"),
    Endpoint("GET", f"{CGI}/menu/get", menus.get, "menu", "menu_get"),
    Endpoint("GET", f"{CGI}/menu/delete", menus.delete, "menu", "menu_delete"),
    Endpoint("POST", f"{CGI}/menu/addconditional", menus.add_conditional, "menu", "menu_create"),
    Endpoint("POST", f"{CGI}/menu/delconditional", menus.delete_conditional, "menu", "menu_delete"),
    Endpoint("POST", f"{CGI}/menu/trymatch", menus.try_match, "menu", "menu_trymatch"),
    Endpoint("GET", f"{CGI}/get_current_selfmenu_info", menus.current, "menu", "menu_get"),
    Endpoint("POST", f"{CGI}/tags/create", tags.create, "messages"),
    Endpoint("GET", f"{CGI}/tags/get", tags.list_all, "messages"),
    Endpoint("POST", f"{CGI}/tags/update", tags.update, "messages"),
    Endpoint("POST", f"{CGI}/tags/delete", tags.delete, "messages"),
    Endpoint("POST", f"{CGI}/tags/members/batchtagging", tags.tag, "messages"),
    Endpoint("POST", f"{CGI}/tags/members/batchuntagging", tags.untag, "messages"),
    Endpoint("POST", f"{CGI}/tags/getidlist", tags.of_user, "messages"),
    Endpoint("POST", f"{CGI}/user/tag/get", tags.members, "messages"),
    Endpoint("GET", f"{CGI}/user/info", users.info, "messages", "user_info"),
    Endpoint("POST", f"{CGI}/user/info/batchget", users.batch, "messages", "user_info"),
    Endpoint("POST", f"{CGI}/user/info/updateremark", users.remark, "messages", "remark"),
    Endpoint("GET", f"{CGI}/user/get", users.followers, "messages", "user_get"),
    Endpoint("POST", f"{CGI}/qrcode/create", qr.create, "service", "qrcode"),
    Endpoint("GET", "/sns/oauth2/access_token", oauth.exchange, "service", token=False, plain_text=True),
    Endpoint("GET", "/sns/oauth2/refresh_token", oauth.refresh, "service", token=False, plain_text=True),
    Endpoint("GET", "/sns/auth", oauth.auth, "service", token=False, plain_text=True),
    Endpoint("GET", "/sns/userinfo", oauth.userinfo, "service", token=False, plain_text=True),
)
