import { start } from "../../frame/start.tsx";
import { Pipeline } from "./screen.tsx";

start("pipeline", Pipeline);
