import { render } from "preact";
import "./style/tokens.css";
import "./style/base.css";
import "./style/shell.css";
import "./style/parts.css";
import "./style/screens.css";
import { start } from "./api/session";
import { App } from "./app";
import { startLanguage } from "./i18n";
import { loadAll } from "./router/screens";

const root = document.getElementById("app")!;
void startLanguage().then(() => render(<App />, root));
void start().then(loadAll);
