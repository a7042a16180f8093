import { start } from "../../frame/start.tsx";
import { Playground } from "./screen.tsx";

start("playground", Playground);
