import { start } from "../../frame/start.tsx";
import { Missing } from "./screen.tsx";

start("missing", Missing);
