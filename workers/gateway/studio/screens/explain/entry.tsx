import { start } from "../../frame/start.tsx";
import { Explain } from "./screen.tsx";

start("explain", Explain);
