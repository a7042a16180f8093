import { start } from "../../frame/start.tsx";
import { Learn } from "./screen.tsx";

start("learn", Learn);
